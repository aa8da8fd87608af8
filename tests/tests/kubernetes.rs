//! The Kubernetes API as the source, on the real API server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::eventually;
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::manifests::gateway;
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Site, Source};

const SOON: Duration = Duration::from_secs(20);
const DEFINITIONS: &str = include_str!("../../envoy/kubernetes/crds.yaml");

async fn shows(site: &Site, host: &str, leaf: &Leaf) -> Result<()> {
    let tls = Tls::new(Version::H2, None)?;
    let open = Connection::open(site.https, host, &tls).await?;
    ensure!(open.leaf == leaf.der, "another certificate is shown");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_is_served() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let objects = plane.namespace("gw").await?;
    objects.define(DEFINITIONS).await?;
    let mut site = Site::prepare().await?;
    site.source = Source::Kubernetes {
        kubeconfig: plane.admin().kubeconfig.clone(),
        namespace: objects.namespace.clone(),
    };
    // Others apply objects to the same cluster meanwhile.
    site.flags = vec![objects.labels()];
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    let authority = Authority::new("CA")?;
    let first = authority.leaf(&["*.aliyun.com"])?;
    objects.apply(&objects.own(&gateway("aliyun-com", ""))).await?;
    objects.apply(&first.secret("aliyun-com")).await?;
    eventually("the certificate is shown", SOON, || {
        shows(&site, "a.aliyun.com", &first)
    })
    .await
    .with_context(|| std::fs::read_to_string(site.agent_log()).unwrap_or_default())?;
    let second = authority.leaf(&["*.aliyun.com"])?;
    objects.apply(&second.secret("aliyun-com")).await?;
    eventually("the next certificate is shown", SOON, || {
        shows(&site, "a.aliyun.com", &second)
    })
    .await?;
    Ok(())
}
