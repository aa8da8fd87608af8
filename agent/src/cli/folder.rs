//! A directory read once, as `check`, `explain` and `certs --dir` see it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow};
use sealgate_model::manifest::Namespaces;
use sealgate_model::{SourceEvent, SourceObject};

use crate::args::GatewayArgs;
use crate::config::GatewaySettings;
use crate::engine::Engine;
use crate::source::directory::DirectorySource;
use crate::translate::Settings;

/// The engine after this directory, and what the source said.
pub(crate) fn load(path: &Path, args: &GatewayArgs) -> Result<Engine> {
    let gateway = GatewaySettings::try_from(args)?;
    let source = DirectorySource {
        root: path.to_owned(),
        namespaces: Namespaces {
            gateway: gateway.namespace.clone(),
            other: "default",
        },
        settled: |_| true,
    };
    let entries: Vec<SourceObject> = source.read_once().map_err(|error| anyhow!("--dir {error}"))?;
    let settings = Settings {
        gateway,
        listen: "0.0.0.0".to_owned(),
        // Nobody loads it.
        module: "sealgate_filter.wasm".into(),
    };
    let (mut engine, _) = Engine::new(settings);
    engine.apply([SourceEvent::Reset(entries)], Instant::now());
    Ok(engine)
}
