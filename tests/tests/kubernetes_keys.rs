//! No copy of a private key outlives its use when the real API server is followed: the test searches the agent's memory
//! after a key was replaced, and after its Secret was deleted. The latter is not true if a namespace is watched as a
//! whole: Secrets are read one by one on connections that wait for the next read, and what was read last stays in their
//! receive buffers.

use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::cluster::{Cluster, credential};
use sealgate_tests::eventually;
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::memory::{found, traces};
use sealgate_tests::pki::Leaf;

const SOON: Duration = Duration::from_secs(20);
const HOST: &str = "www.aliyun.com";

async fn is_clean(process: u32, leaf: &Leaf, what: &str) -> Result<()> {
    let traces: Vec<_> = traces(leaf)?
        .into_iter()
        .map(|(word, trace)| (word.to_owned(), trace))
        .collect();
    eventually(what, SOON, || async {
        let left = found(process, &traces)?;
        ensure!(left.is_empty(), "{what}: {left:#?}");
        Ok(())
    })
    .await
}

async fn is_served(process: u32, leaf: &Leaf) -> Result<()> {
    let traces: Vec<_> = traces(leaf)?
        .into_iter()
        .map(|(word, trace)| (word.to_owned(), trace))
        .collect();
    let here = found(process, &traces)?;
    ensure!(
        here.iter().any(|place| place.contains("PEM")),
        "what is served is not found, so nothing would be: {here:?}"
    );
    Ok(())
}

async fn nothing_is_left(how: &str) -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let cluster = Cluster::start(plane, &[&format!("--secret-watch={how}")]).await?;
    let process = cluster.site.agent_id()?;
    // The first comes with a list, the others with a watch.
    let first = cluster.rotate("edge", &[HOST]).await?;
    cluster.gateway("edge", "").await?;
    cluster.shown(HOST, &first).await?;
    is_served(process, &first).await?;

    let second = cluster.rotate("edge", &[HOST]).await?;
    cluster.shown(HOST, &second).await?;
    is_clean(process, &first, "listed, then replaced").await?;

    let third = cluster.rotate("edge", &[HOST]).await?;
    cluster.shown(HOST, &third).await?;
    is_clean(process, &second, "watched, then replaced").await?;

    if how == "namespace" {
        return Ok(());
    }
    cluster.objects.delete(&third.secret("edge")).await?;
    let gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gateway}\nspec: {}\n";
    cluster.objects.delete(gateway).await?;
    let is_gone = |status: &serde_json::Value| credential(status, "edge").is_null();
    cluster.until("nothing is served", is_gone).await?;
    is_clean(process, &third, "gone").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_key_is_left_when_it_is_replaced_or_gone() -> Result<()> {
    nothing_is_left("name").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_replaced_key_is_left_if_a_namespace_is_watched() -> Result<()> {
    nothing_is_left("namespace").await
}
