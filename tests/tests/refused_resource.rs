//! A resource that the real Envoy refuses, forced past every check: everything else of the response arrives, and the one is
//! known by name.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use envoy_types::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{ClusterDiscoveryType, DiscoveryType},
};
use prost::Message as _;
use sealgate_agent::snapshot::TypeUrl;
use sealgate_tests::eventually;
use sealgate_tests::unchecked::Unchecked;

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
