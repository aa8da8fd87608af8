//! A resource that the real Envoy rejects, forced past all checks: everything else in the response arrives, and the
//! rejected one is known by name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use envoy_types::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{ClusterDiscoveryType, DiscoveryType},
};
use prost::Message as _;
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::engine::Engine;
use sealgate_agent::snapshot::TypeUrl;
use sealgate_agent::translate::Settings;
use sealgate_core::table::part_of;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::{Code, SourceEvent};
use sealgate_tests::unchecked::Unchecked;
use sealgate_tests::{eventually, manifests};

const PROMPT: Duration = Duration::from_secs(2);

/// A cluster; an EDS one that says nothing of where its endpoints are is none that Envoy takes.
fn cluster(name: &str, is_good: bool) -> Vec<u8> {
    let kind = if is_good {
        DiscoveryType::Static
    } else {
        DiscoveryType::Eds
    };
    let cluster = Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind.into())),
        ..Cluster::default()
    };
    cluster.encode_to_vec()
}

async fn has(stand: &Unchecked, names: &[&str]) -> Result<()> {
    let page = stand.site.envoy_page("/clusters").await?;
    for name in names {
        ensure!(page.contains(&format!("{name}::")), "no {name}");
    }
    Ok(())
}

fn refused(stand: &Unchecked) -> Result<()> {
    let refused: Vec<_> = stand.proxies.refusals().list().into_keys().collect();
    ensure!(
        refused == [(TypeUrl::Cluster, "bad".into())],
        "{refused:?} are refused"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_envoy_refuses_is_found_and_nothing_else_is_lost() -> Result<()> {
    let mut stand = Unchecked::start(|bootstrap, _| bootstrap).await?;
    stand.publisher.update(Instant::now(), |draft| {
        for name in ["a", "bad", "c", "d", "e"] {
            draft.set(TypeUrl::Cluster, name, cluster(name, name != "bad"));
        }
    });
    eventually("the others arrive", PROMPT, || has(&stand, &["a", "c", "d", "e"])).await?;
    eventually("the one is named", PROMPT, || async { refused(&stand) }).await?;
    stand.publisher.update(Instant::now(), |draft| {
        draft.set(TypeUrl::Cluster, "later", cluster("later", true));
    });
    eventually("a later one arrives", PROMPT, || has(&stand, &["later"])).await?;
    refused(&stand)?;
    stand.publisher.update(Instant::now(), |draft| {
        draft.set(TypeUrl::Cluster, "bad", cluster("bad", true));
    });
    let mended = || async {
        ensure!(stand.proxies.refusals().list().is_empty(), "still refused");
        has(&stand, &["bad"]).await
    };
    eventually("it is mended", PROMPT, mended).await
}

/// What is said of a resource is said of the objects that it was made of.
#[test]
fn the_objects_of_a_refused_resource_are_named() -> Result<()> {
    let namespaces = Namespaces {
        gateway: "istio-system".to_owned(),
        other: "default",
    };
    let objects = [
        manifests::gateway("edge", ""),
        manifests::virtual_service("routes", "www.aliyun.com", manifests::HELLO),
        manifests::entry("welcome", "welcome.local", 80, 3000),
    ];
    let entries = manifest::read("site.yaml", objects.join("\n---\n").as_bytes(), &namespaces);
    let (mut engine, _) = Engine::new(Settings {
        gateway: GatewaySettings::new("istio-system"),
        listen: "0.0.0.0".to_owned(),
        module: "sealgate_filter.wasm".into(),
    });
    engine.apply([SourceEvent::Reset(entries)], Instant::now());
    let part = format!("sealgate-0-table-{:02}", part_of(80, "www.aliyun.com"));
    for (kind, name, object) in [
        (
            TypeUrl::Cluster,
            "outbound|80||welcome.local",
            "VirtualService default/routes",
        ),
        (
            TypeUrl::Endpoint,
            "outbound|80||welcome.local",
            "VirtualService default/routes",
        ),
        (
            TypeUrl::ExtensionConfig,
            part.as_str(),
            "VirtualService default/routes",
        ),
        (
            TypeUrl::ExtensionConfig,
            "sealgate-80",
            "Gateway istio-system/gateway",
        ),
        (TypeUrl::Listener, "gateway-443", "Gateway istio-system/gateway"),
        (TypeUrl::Secret, "istio-system/edge", "Secret istio-system/edge"),
    ] {
        let refusals = BTreeMap::from([((kind, name.into()), "Envoy's words".to_owned())]);
        engine.refused(&refusals, Instant::now());
        let findings = engine.view().findings();
        let own: Vec<_> = findings
            .iter()
            .filter(|finding| finding.code == Code::RefusedByProxy)
            .map(|finding| {
                (
                    finding.object.to_string(),
                    finding.message.contains("Envoy's words"),
                )
            })
            .collect();
        ensure!(own == [(object.to_owned(), true)], "{name}: {own:?}");
    }
    engine.refused(&BTreeMap::new(), Instant::now());
    let findings = engine.view().findings();
    ensure!(
        findings
            .iter()
            .all(|finding| finding.code != Code::RefusedByProxy)
    );
    Ok(())
}
