//! Manifests: any bytes as a file of a directory source, all the way through the agent. Whatever it makes of them, the
//! filter takes the tables.
#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::engine::Engine;
use sealgate_agent::translate::Settings;
use sealgate_core::port::PortConfig;
use sealgate_core::rules::TableConfig;
use sealgate_core::table::RouteTable;
use sealgate_model::SourceEvent;
use sealgate_model::manifest::{self, Namespaces};

fuzz_target!(|bytes: &[u8]| {
    let gateway = GatewaySettings::new("istio-system");
    let namespaces = Namespaces {
        gateway: gateway.namespace.clone(),
        other: "default",
    };
    let entries = manifest::read("fuzz.yaml", bytes, &namespaces);
    if entries.iter().all(|entry| entry.object.is_none()) {
        return;
    }
    let settings = Settings {
        gateway,
        listen: "0.0.0.0".to_owned(),
        module: "filter.wasm".into(),
    };
    let (mut engine, _snapshots) = Engine::new(settings);
    engine.apply([SourceEvent::Reset(entries)], Instant::now());
    drop(engine.view().findings());
    let resolver = engine.resolver();
    let tables = resolver.ports().map(|port| {
        let own = PortConfig {
            port: port.number,
            told: port.told.clone(),
        };
        PortConfig::from_json(&serde_json::to_vec(&own).unwrap()).unwrap();
        resolver.table(port.number)
    });
    let tables: Vec<TableConfig> = tables.collect();
    RouteTable::from_configs(&tables).unwrap();
});
