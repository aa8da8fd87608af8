//! Which Secrets are followed: those that proxies ask for because of a handwritten listener, although no Gateway names
//! them; and those of Gateways, whether many or few.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::cluster::{Cluster, SOON, credential, watch};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{Chain, by_hand};
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::manifests::server;
use sealgate_tests::pki::Leaf;
use serde_json::Value;

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

/// Above what is watched by name.
const MANY: usize = 110;

fn has_watch(status: &Value, name: &str) -> bool {
    watch(status, name).is_some_and(|(state, _)| state == "following")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_watched_at_once_and_few_by_name_again_without_a_gap() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let cluster = Cluster::start(plane, &[]).await?;
    let namespace = cluster.objects.namespace.clone();
    let (single, at_once) = (format!("Secret {namespace}/"), format!("Secrets of {namespace}"));
    let servers: String = (0..MANY)
        .map(|at| server(&format!("s{at}.example"), "SIMPLE", &format!("s{at}")))
        .collect();
    cluster.gateway("aliyun-com", "").await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    let status = cluster.site.status().await?;
    ensure!(
        has_watch(&status, &single) && !has_watch(&status, &at_once),
        "{status}"
    );

    cluster.gateway("aliyun-com", &servers).await?;
    let is_at_once = |status: &Value| has_watch(status, &at_once) && watch(status, &single).is_none();
    rotate_until(&cluster, "the namespace is watched", is_at_once).await?;
    let late = cluster.rotate("s7", &["s7.example"]).await?;
    cluster.shown("s7.example", &late).await?;

    cluster.gateway("aliyun-com", "").await?;
    let is_single = |status: &Value| has_watch(status, &single) && watch(status, &at_once).is_none();
    rotate_until(&cluster, "each is watched by name again", is_single).await?;
    // Nobody names s7 any more: it is not followed, and not there.
    let gone = |status: &Value| {
        credential(status, "s7").is_null() && watch(status, &format!("{single}s7")).is_none()
    };
    cluster.until("what nobody names is let go", gone).await.map(drop)
}

/// Rotates all the while: each rotation arrives, and the credential is always there. A Secret that nobody names is
/// followed for 30 s more.
async fn rotate_until(cluster: &Cluster, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(45);
    loop {
        let next = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
        let status = cluster
            .until(&format!("a rotation until {what}"), |status| {
                credential(status, "aliyun-com")["serial"] == next.serial.as_str()
            })
            .await?;
        ensure!(credential(&status, "aliyun-com")["state"] == "ready", "{status}");
        if is_so(&status) {
            return cluster.shown("a.aliyun.com", &next).await;
        }
        ensure!(tokio::time::Instant::now() < deadline, "{what}: {status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
