//! Certificates from the agent in the proxy's pod; routes stay Envoy Gateway's.

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::envoy_gateway::{HTTPS, ProxyPod};
use sealgate_tests::front::{self, Front};
use sealgate_tests::load::Load;
use sealgate_tests::upstream::{self, WELCOME};

use crate::page::{GATEWAY, Page};

const ROTATIONS: usize = 100;
const HOSTS: [&str; 2] = ["a.aliyun.com", "b.aliyun.com"];
const SECRET: &str = "my-site";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs Envoy Gateway: cargo xtask test envoy-gateway"]
async fn envoy_gateway_takes_certificates_from_the_agent_and_no_rotation_fails_a_request() -> Result<()> {
    let page = Page::start().await?;
    let front = Front::new(HTTPS, 0)?;
    let first = front.authority.leaf(&["*.aliyun.com"])?;
    page.cluster.objects.put(&first.secret(SECRET)).await?;
    let kinds = ["Role", "RoleBinding", "EnvoyProxy", "Secret", "Gateway"];
    page.apply_kinds(&kinds).await?;
    for (name, host) in ["a", "b"].into_iter().zip(HOSTS) {
        page.cluster.upstream(name, upstream::start().await?).await?;
        page.route(name, host).await?;
    }
    let mut pod = page.cluster.pod(GATEWAY).await?;
    pod.start_agent().await?;
    pod.start_envoy().await?;
    for host in HOSTS {
        let shown = front.shown(host, &first).await;
        shown.with_context(|| format!("{}{}", pod.logs(), page.cluster.log()))?;
        front
            .answered(Some(&front.anybody), (host, "/hello"), (200, WELCOME))
            .await?;
    }
    by_the_agent(&pod).await?;
    let played = rotations(&page, &front, &mut pod, Load::start(HTTPS, &first)?).await;
    played.with_context(|| format!("{}{}", pod.logs(), page.cluster.log()))
}

/// The certificate is the agent's, and Envoy Gateway sends none.
async fn by_the_agent(pod: &ProxyPod) -> Result<()> {
    let dump = pod
        .envoy_page("/config_dump?resource=dynamic_active_secrets")
        .await?;
    let dump: serde_json::Value = serde_json::from_str(&dump)?;
    let secrets = dump["configs"].as_array().into_iter().flatten();
    let names: Vec<&str> = secrets.filter_map(|secret| secret["name"].as_str()).collect();
    ensure!(names.contains(&SECRET), "{names:?}");
    ensure!(
        !names.iter().any(|name| name.starts_with("default/")),
        "{names:?}"
    );
    Ok(())
}

async fn rotations(page: &Page, front: &Front, pod: &mut ProxyPod, load: Load) -> Result<()> {
    let objects = &page.cluster.objects;
    for _ in 0..ROTATIONS {
        front.rotate(objects, SECRET, &HOSTS, &load).await?;
    }
    pod.kill_agent();
    pod.start_agent().await?;
    front.rotate(objects, SECRET, &HOSTS, &load).await?;
    front::rotated(load, ROTATIONS + 1).await
}
