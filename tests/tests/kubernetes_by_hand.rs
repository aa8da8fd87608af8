//! A Secret that no Gateway names, and that a proxy asks for: by a listener that somebody wrote by hand.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::cluster::{Cluster, SOON, credential, watch};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{Chain, by_hand};
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::pki::Leaf;

/// Longer than a Secret is followed that nobody asks for any more.
const LET_GO: Duration = Duration::from_secs(60);
/// The server name, the API, and the certificate's name on the wire.
const CHAINS: [(&str, &str, &[&str]); 2] = [
    ("one.example", "DELTA_GRPC", &["kubernetes://one"]),
    ("two.example", "GRPC", &["two"]),
];

async fn shown(cluster: &Cluster, host: &str, leaf: &Leaf) -> Result<()> {
    let attempt = || async {
        let open = Connection::open(cluster.site.https, host, &Tls::new(Version::H1, None)?).await?;
        ensure!(open.leaf == leaf.der, "another certificate is shown");
        Ok(())
    };
    eventually(&format!("{host} shows {}", leaf.serial), SOON, attempt)
        .await
        .with_context(|| cluster.log_end())
}

async fn asked_by_a_proxy(plane: &ControlPlane, how: &str) -> Result<()> {
    let mut cluster = Cluster::prepare(plane, &[&format!("--secret-watch={how}")]).await?;
    let unrelated = cluster.authority.leaf(&["unrelated.example"])?;
    cluster.objects.apply(&unrelated.secret("unrelated")).await?;
    let one = cluster.rotate("one", &["one.example"]).await?;
    cluster.site.start_agent().await?;
    let status = cluster.site.status().await?;
    ensure!(credential(&status, "one").is_null(), "{status}");

    let chains = CHAINS.map(|(host, api, certificates)| Chain {
        host: Some(host),
        api,
        certificates,
        trust: None,
    });
    cluster
        .site
        .start_envoy(|bootstrap, site| by_hand(&bootstrap, site.https, &chains))
        .await?;
    shown(&cluster, "one.example", &one).await?;
    // One that came after it was asked for, and one that changes.
    let two = cluster.rotate("two", &["two.example"]).await?;
    shown(&cluster, "two.example", &two).await?;
    let next = cluster.rotate("one", &["one.example"]).await?;
    shown(&cluster, "one.example", &next).await?;
    let status = cluster.site.status().await?;
    ensure!(credential(&status, "unrelated").is_null(), "{status}");

    // Another proxy in its place, which asks for nothing.
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    let namespace = &cluster.objects.namespace;
    let let_go = || async {
        let status = cluster.site.status().await?;
        let is_followed = watch(&status, &format!("Secret {namespace}/one")).is_some();
        ensure!(!is_followed && credential(&status, "one").is_null(), "{status}");
        Ok(())
    };
    eventually("what nobody asks for is let go", LET_GO, let_go).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_proxy_asks_for_is_read_and_served() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    tokio::try_join!(
        asked_by_a_proxy(plane, "name"),
        asked_by_a_proxy(plane, "namespace")
    )
    .map(drop)
}
