//! Only the filter, with an EnvoyExtensionPolicy: Envoy Gateway's own code pulls the artifact, serves and configures
//! it, and no agent runs.

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::envoy_gateway::{HTTPS, ProxyPod};
use sealgate_tests::front::{FORGED, Front, SOON, untouched};
use sealgate_tests::registry::Registry;
use sealgate_tests::{echo, eventually, site};
use serde_json::{Value, json};

use crate::page::{GATEWAY, Page};

/// Set by `cargo xtask test envoy-gateway`.
const ARTIFACT: &str = "SEALGATE_FILTER_ARTIFACT";
/// Of the page's rules.
const HOST: &str = "shop.example";
const CART: &str = "outbound|8080||cart.default.svc.cluster.local";

/// The Gateway with a certificate that Envoy Gateway itself reads.
const OWN_GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: my-gateway }
spec:
  gatewayClassName: eg
  listeners:
  - { name: https, protocol: HTTPS, port: 443, hostname: shop.example, tls: { certificateRefs: [ { name: shop } ] } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs Envoy Gateway: cargo xtask test envoy-gateway"]
async fn envoy_gateway_runs_the_filter_and_it_tells_who_the_client_is_and_routes() -> Result<()> {
    let page = Page::start().await?;
    let front = Front::new(HTTPS, 0)?;
    let registry = Registry::start(&site::program(ARTIFACT)?).await?;
    page.apply(&front.authority.leaf(&[HOST])?.secret("shop")).await?;
    page.apply(&front.authority.secret("clients")).await?;
    page.apply(OWN_GATEWAY).await?;
    for name in ["app", "cart"] {
        page.cluster.upstream(name, echo::start(name).await?).await?;
    }
    page.route("app", HOST).await?;
    page.apply(&asking_for_certificates(page.first("ClientTrafficPolicy")?).to_string())
        .await?;
    let policies = page.of("EnvoyExtensionPolicy")?;
    let [identity, routing] = policies.as_slice() else {
        anyhow::bail!("the page shows {} EnvoyExtensionPolicies", policies.len());
    };
    page.apply(&pulled_from(identity, &registry).to_string()).await?;
    let mut pod = page.cluster.pod(GATEWAY).await?;
    pod.start_envoy().await?;
    let played = async {
        told(&front, &pod, &registry).await?;
        page.apply(&pulled_from(routing, &registry).to_string()).await?;
        page.apply(&to_backends(page.first("HTTPRoute")?)?.to_string())
            .await?;
        routed(&front).await
    };
    let played = played.await;
    let status = page.status(identity).await?;
    played.with_context(|| format!("{status}\n{}{}", pod.logs(), page.cluster.log()))
}

/// The page's policy, and what asks clients for certificates, which it leaves to the reader. Headers with underscores are
/// let in: Envoy Gateway refuses them otherwise, so that no forgery in this spelling arrives.
fn asking_for_certificates(mut policy: Value) -> Value {
    policy["spec"]["headers"]["withUnderscoresAction"] = json!("Allow");
    policy["spec"]["tls"]["clientValidation"] = json!({
        "mode": "VerifyIfGiven",
        "caCertificateRefs": [{ "kind": "Secret", "group": "", "name": "clients" }],
    });
    policy
}

/// The page's policy, with the artifact of this build.
fn pulled_from(policy: &Value, registry: &Registry) -> Value {
    let mut policy = policy.clone();
    policy["spec"]["wasm"][0]["code"]["image"]["url"] =
        json!(format!("127.0.0.1:{}/sealgate/filter:tested", registry.port));
    policy
}

/// The page's route, whose Services are upstreams of the test.
fn to_backends(mut route: Value) -> Result<Value> {
    let rules = route["spec"]["rules"].as_array_mut().context("no rules")?;
    for backend in rules
        .iter_mut()
        .filter_map(|rule| rule["backendRefs"].as_array_mut())
        .flatten()
    {
        *backend = json!({
            "group": "gateway.envoyproxy.io", "kind": "Backend", "name": backend["name"].clone(),
        });
    }
    Ok(route)
}

async fn told(front: &Front, pod: &ProxyPod, registry: &Registry) -> Result<()> {
    let described = || async { front.identity(HOST, "app").await };
    eventually("the filter tells who the client is", SOON, described).await?;
    let asked = registry.pulled();
    let of = |what: &str| asked.iter().filter(|path| path.contains(what)).count();
    ensure!(of("/manifests/") > 0 && of("/blobs/") > 0, "asked for {asked:?}");
    let dump = pod.envoy_page("/config_dump").await?;
    ensure!(
        dump.contains("wasm_cluster"),
        "Envoy does not fetch it from the controller"
    );
    let stranger = front.ask(Some(&front.anybody), (HOST, "/"), FORGED).await?;
    ensure!(
        stranger.body.contains("x-client-cert-verified: none\r\n"),
        "{stranger:?}"
    );
    untouched(&stranger.body)
}

/// By the rules of the filter, and by the route that its header selects.
async fn routed(front: &Front) -> Result<()> {
    let tls = Some(&front.anybody);
    front.answered(tls, (HOST, "/health"), (200, "ok")).await?;
    front
        .answered(tls, (HOST, "/cart/b"), (200, "cart\nGET /b "))
        .await?;
    front.identity(HOST, "app").await?;
    for path in ["/cart/b", "/"] {
        let seen = front
            .ask(
                tls,
                (HOST, path),
                &[("x-sealgate-cluster", CART), ("x-tls-sni", "forged")],
            )
            .await?;
        let upstream = if path == "/" { "app\n" } else { "cart\n" };
        ensure!(seen.status == 200 && seen.body.starts_with(upstream), "{seen:?}");
        untouched(&seen.body)?;
    }
    Ok(())
}
