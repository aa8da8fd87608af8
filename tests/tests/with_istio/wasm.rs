//! Only the filter, as a WasmPlugin: Istio's own code pulls the artifact and configures it, and no agent runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::front::{FORGED, SOON, untouched};
use sealgate_tests::istio::Pod;
use sealgate_tests::registry::Registry;
use sealgate_tests::{echo, eventually, site};
use serde_json::Value;

use crate::edge::Edge;

/// Set by `cargo xtask test istio`.
const ARTIFACT: &str = "SEALGATE_FILTER_ARTIFACT";
const MUTUAL: &str = "mutual.test";
const SIMPLE: &str = "simple.test";

/// The servers, with these as their TLS settings.
fn gateway(mutual: &str, simple: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: gateway, namespace: istio-system }}
spec:
  selector: {{ istio: ingressgateway }}
  servers:
  - port: {{ number: 443, name: https-mutual, protocol: HTTPS }}
    hosts: [mutual.test]
    tls: {{ mode: MUTUAL, {mutual} }}
  - port: {{ number: 443, name: https, protocol: HTTPS }}
    hosts: [simple.test]
    tls: {{ mode: SIMPLE, {simple} }}
  - port: {{ number: 80, name: http, protocol: HTTP }}
    hosts: [mutual.test, simple.test]
"
    )
}

/// The same, with certificates from files of the pod: istiod tells Secrets to proxies alone that show who they are, and
/// here they speak without TLS.
fn gateway_of_files(folder: &Path) -> String {
    let folder = folder.display();
    let simple = format!("serverCertificate: {folder}/tls.crt, privateKey: {folder}/tls.key");
    gateway(&format!("{simple}, caCertificates: {folder}/ca.crt"), &simple)
}

/// The rules of the filter; what they do not match goes by Istio's own.
const RULES: &str = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: filter, namespace: default }
spec:
  hosts: [simple.test]
  gateways: [istio-system/gateway]
  http:
  - match: [ { uri: { prefix: /two/ } } ]
    rewrite: { uri: / }
    route: [ { destination: { host: other.local, port: { number: 80 } } } ]
  - match: [ { uri: { exact: /teapot } } ]
    directResponse: { status: 418, body: { string: teapot } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs istiod: cargo xtask test istio"]
async fn istio_pulls_the_filter_and_it_tells_who_the_client_is_and_routes_by_its_configuration() -> Result<()>
{
    let edge = Edge::prepare(&Value::Null).await?;
    let registry = Registry::start(&site::program(ARTIFACT)?).await?;
    let written = gateway("credentialName: mutual", "credentialName: simple");
    let image = format!("--image=127.0.0.1:{}/sealgate/filter:tested", registry.port);
    let form = ["wasm", &image, &edge.mesh.port_map()];
    edge.apply(&edge.mesh.manifests(&form, &format!("{written}{RULES}"))?)
        .await?;
    edge.apply(&gateway_of_files(&certificates(&edge)?)).await?;
    for name in ["app", "other"] {
        edge.upstream(name, echo::start(name).await?).await?;
    }
    edge.route("app", &format!("{MUTUAL}, {SIMPLE}")).await?;
    let mut pod = edge.mesh.pod().await?;
    pod.start_proxy().await?;
    let played = play(&edge, &pod, &registry).await;
    played.with_context(|| format!("{}{}", pod.logs(), edge.mesh.log()))
}

async fn play(edge: &Edge, pod: &Pod, registry: &Registry) -> Result<()> {
    pulled(pod, registry).await?;
    edge.front
        .answered(Some(&edge.front.anybody), (SIMPLE, "/teapot"), (418, "teapot"))
        .await?;
    edge.front.identity(MUTUAL, "app").await?;
    strangers(edge).await?;
    routes(edge).await
}

fn certificates(edge: &Edge) -> Result<PathBuf> {
    let folder = edge.mesh.folder().join("certificates");
    edge.front.authority.leaf(&[MUTUAL, SIMPLE])?.write(&folder)?;
    edge.front.authority.write(&folder)?;
    Ok(folder)
}

/// The manifest and the layer were asked for by pilot-agent, and Envoy runs the file that it made of them.
async fn pulled(pod: &Pod, registry: &Registry) -> Result<()> {
    let there = || async {
        let asked = registry.pulled();
        let manifest = asked
            .iter()
            .any(|path| path == "/v2/sealgate/filter/manifests/tested");
        let layers = asked.iter().filter(|path| path.contains("/blobs/")).count();
        ensure!(manifest && layers > 0, "asked for {asked:?}");
        let dump = pod.envoy_page("/config_dump?resource=ecds_filters").await?;
        ensure!(dump.contains("/var/lib/istio/data/"), "ECDS: {dump}");
        Ok(())
    };
    eventually("Istio pulls the filter", SOON, there).await
}

/// Where no certificate is asked for, there is none; and nobody can say otherwise.
async fn strangers(edge: &Edge) -> Result<()> {
    for tls in [Some(&edge.front.anybody), None] {
        let seen = edge.front.ask(tls, (SIMPLE, "/"), FORGED).await?;
        ensure!(seen.status == 200 && seen.body.starts_with("app\n"), "{seen:?}");
        let none = "x-client-cert-verified: none\r\n";
        ensure!(seen.body.contains(none), "no {none} in {}", seen.body);
        untouched(&seen.body)?;
    }
    Ok(())
}

async fn routes(edge: &Edge) -> Result<()> {
    for tls in [Some(&edge.front.anybody), None] {
        let seen = edge.front.ask(tls, (SIMPLE, "/two/b"), FORGED).await?;
        ensure!(seen.body.starts_with("other\nGET /b "), "{seen:?}");
        untouched(&seen.body)?;
    }
    Ok(())
}
