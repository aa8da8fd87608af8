//! Only certificates: routing stays with Istio.

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::front::{self, SOON};
use sealgate_tests::istio::{self, Pod};
use sealgate_tests::load::Load;
use sealgate_tests::upstream::{self, WELCOME};
use sealgate_tests::{echo, eventually};
use serde_json::Value;

use crate::edge::Edge;

const ROTATIONS: usize = 20;
const HOSTS: [&str; 2] = ["a.aliyun.com", "b.aliyun.com"];
const SECRET: &str = "my-site";
const MUTUAL: &str = "mutual.test";

const GATEWAY: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gateway, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: ["*.aliyun.com"]
    tls: { mode: SIMPLE, credentialName: my-site }
"#;
const MUTUAL_SERVER: &str = r#"  - port: { number: 443, name: https-mutual, protocol: HTTPS }
    hosts: [mutual.test]
    tls: { mode: MUTUAL, credentialName: my-mtls }
"#;

/// By a provider in the mesh configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs istiod: cargo xtask test istio"]
async fn istios_gateway_has_its_certificates_from_the_agent_and_no_rotation_fails_a_request() -> Result<()> {
    let values = serde_saphyr::from_str(&istio::printed(&["sds", "--mesh-config"])?)?;
    played(&values, &["sds"]).await
}

/// By the path at which proxies before Istio 1.31 ask, and later ones too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs istiod: cargo xtask test istio"]
async fn the_same_without_a_provider_in_the_mesh_configuration() -> Result<()> {
    played(&Value::Null, &["sds", "--istio-version=1.30"]).await
}

async fn played(values: &Value, form: &[&str]) -> Result<()> {
    let edge = Edge::prepare(values).await?;
    edge.apply(&edge.mesh.manifests(form, GATEWAY)?).await?;
    let mut pod = edge.mesh.pod().await?;
    pod.start_agent(&[]).await?;
    pod.start_proxy().await?;
    let played = play(&edge, &mut pod, form).await;
    played.with_context(|| format!("{}{}", pod.logs(), edge.mesh.log()))
}

async fn play(edge: &Edge, pod: &mut Pod, form: &[&str]) -> Result<()> {
    let first = edge.front.authority.leaf(&["*.aliyun.com"])?;
    edge.mesh.objects.put(&first.secret(SECRET)).await?;
    for (name, host) in ["a", "b"].into_iter().zip(HOSTS) {
        edge.upstream(name, upstream::start().await?).await?;
        edge.route(name, host).await?;
    }
    for host in HOSTS {
        edge.front.shown(host, &first).await?;
        edge.front
            .answered(Some(&edge.front.anybody), (host, "/hello"), (200, WELCOME))
            .await?;
    }

    let load = Load::start(edge.mesh.https, &first)?;
    for _ in 0..ROTATIONS {
        edge.front
            .rotate(&edge.mesh.objects, SECRET, &HOSTS, &load)
            .await?;
    }
    pod.kill_agent();
    pod.start_agent(&[]).await?;
    edge.front
        .rotate(&edge.mesh.objects, SECRET, &HOSTS, &load)
        .await?;
    mutual(edge, form).await?;
    front::rotated(load, ROTATIONS + 1).await?;
    removed(edge, pod).await
}

/// One more server, whose trust bundle comes from the agent too.
async fn mutual(edge: &Edge, form: &[&str]) -> Result<()> {
    let leaf = edge.front.authority.leaf(&[MUTUAL])?;
    edge.mesh.objects.put(&leaf.secret("my-mtls")).await?;
    edge.mesh
        .objects
        .put(&edge.front.authority.secret("my-mtls-cacert"))
        .await?;
    edge.upstream("mutual", echo::start("mutual").await?).await?;
    edge.route("mutual", MUTUAL).await?;
    edge.apply(&edge.mesh.manifests(form, &format!("{GATEWAY}{MUTUAL_SERVER}"))?)
        .await?;
    let known = Tls::new(Version::H1, Some(&edge.front.authority.leaf(&["client"])?))?;
    edge.front
        .answered(Some(&known), (MUTUAL, "/"), (200, "mutual"))
        .await?;
    ensure!(
        edge.front
            .ask(Some(&edge.front.anybody), (MUTUAL, "/"), &[])
            .await
            .is_err(),
        "a client without a certificate is answered"
    );
    Ok(())
}

/// The Gateway goes: nobody listens any more, and Envoy asks the agent for nothing more.
async fn removed(edge: &Edge, pod: &Pod) -> Result<()> {
    edge.mesh.objects.delete(GATEWAY).await?;
    let gone = || async {
        let open = Connection::open(edge.mesh.https, HOSTS[0], &edge.front.anybody).await;
        ensure!(open.is_err(), "it is still served");
        let dump = pod
            .envoy_page("/config_dump?resource=dynamic_active_secrets")
            .await?;
        ensure!(!dump.contains("my-"), "Envoy still has {dump}");
        Ok(())
    };
    eventually("the server is gone", SOON, gone).await
}
