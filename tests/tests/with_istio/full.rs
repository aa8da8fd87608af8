//! Routing and identity by the agent as well, in Istio's listeners and routes.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::front::{FORGED, SOON, say, untouched};
use sealgate_tests::istio::{self, Pod};
use sealgate_tests::{echo, eventually};
use serde_json::Value;

use crate::edge::Edge;

const MUTUAL: &str = "mutual.test";
const SIMPLE: &str = "simple.test";
/// How often the route changes under load.
const CHANGES: usize = 10;

const GATEWAY: &str = r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gateway, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: [simple.test]
    tls: { mode: SIMPLE, credentialName: simple }
  - port: { number: 443, name: https-mutual, protocol: HTTPS }
    hosts: [mutual.test]
    tls: { mode: MUTUAL, credentialName: mutual }
  - port: { number: 80, name: http, protocol: HTTP }
    hosts: [simple.test]
"#;

/// The rules, of which the last goes to this upstream.
fn rules(rest: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: rules, namespace: default }}
spec:
  hosts: [simple.test, mutual.test]
  gateways: [istio-system/gateway]
  http:
  - match: [ {{ uri: {{ prefix: /two/ }} }} ]
    rewrite: {{ uri: / }}
    route: [ {{ destination: {{ host: other.local, port: {{ number: 80 }} }} }} ]
  - match: [ {{ uri: {{ exact: /teapot }} }} ]
    directResponse: {{ status: 418, body: {{ string: teapot }} }}
  - route: [ {{ destination: {{ host: {rest}.local, port: {{ number: 80 }} }} }} ]
"
    )
}

fn manifests(edge: &Edge, rest: &str) -> Result<String> {
    let form = ["full", &edge.mesh.port_map()];
    edge.mesh.manifests(&form, &format!("{GATEWAY}{}", rules(rest)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs istiod: cargo xtask test istio"]
async fn the_agent_routes_and_tells_who_the_client_is_in_istios_gateway() -> Result<()> {
    let values = serde_saphyr::from_str(&istio::printed(&["sds", "--mesh-config"])?)?;
    let edge = Edge::prepare(&values).await?;
    for name in ["app", "other"] {
        edge.upstream(name, echo::start(name).await?).await?;
    }
    for (name, host) in [("simple", SIMPLE), ("mutual", MUTUAL)] {
        let leaf = edge.front.authority.leaf(&[host])?;
        edge.mesh.objects.put(&leaf.secret(name)).await?;
    }
    let trust = edge.front.authority.secret("mutual-cacert");
    edge.mesh.objects.put(&trust).await?;
    edge.apply(&manifests(&edge, "app")?).await?;
    let mut pod = edge.mesh.pod().await?;
    // The upstreams of the tests listen on loopback.
    pod.start_agent(&["--allow-local-upstreams=true"]).await?;
    pod.start_proxy().await?;
    let played = play(&edge, &pod).await;
    played.with_context(|| format!("{}{}", pod.logs(), edge.mesh.log()))
}

async fn play(edge: &Edge, pod: &Pod) -> Result<()> {
    let tls = Some(&edge.front.anybody);
    edge.front
        .answered(tls, (SIMPLE, "/teapot"), (418, "teapot"))
        .await?;
    for tls in [tls, None] {
        edge.front
            .answered(tls, (SIMPLE, "/two/b"), (200, "other\nGET /b "))
            .await?;
        let seen = edge.front.ask(tls, (SIMPLE, "/"), FORGED).await?;
        ensure!(
            seen.status == 200 && seen.body.starts_with("app\nGET / "),
            "{seen:?}"
        );
        untouched(&seen.body)?;
    }
    edge.front.identity(MUTUAL, "app").await?;
    misdirected(edge).await?;
    changes(edge).await?;
    current(pod).await
}

/// A connection that no certificate was asked for on is not good for a host that demands one.
async fn misdirected(edge: &Edge) -> Result<()> {
    let mut open = Connection::open(edge.mesh.https, SIMPLE, &edge.front.anybody).await?;
    let seen = open.get(MUTUAL, "/").await?.context("no answer")?;
    ensure!(seen.status == 421, "{seen:?}");
    Ok(())
}

/// Routes change under requests, of which each is answered by the one or the other upstream.
async fn changes(edge: &Edge) -> Result<()> {
    let tls = Tls::new(Version::H2, None)?;
    let mut open = Connection::open(edge.mesh.https, SIMPLE, &tls).await?;
    let mut seen = BTreeSet::new();
    let mut requests = 0;
    for turn in 0..CHANGES {
        let rest = if turn % 2 == 0 { "other" } else { "app" };
        edge.apply(&manifests(edge, rest)?).await?;
        let changed = format!("{rest}\n");
        let mut last = String::new();
        for _ in 0..2_000 {
            let answer = open.get(SIMPLE, "/").await?.context("the connection ended")?;
            ensure!(answer.status == 200, "{answer:?}");
            requests += 1;
            last = answer.body.split_inclusive('\n').take(1).collect();
            seen.insert(last.clone());
            if last == changed {
                break;
            }
        }
        ensure!(last == changed, "turn {turn}: still {last}");
    }
    say(&format!(
        "{CHANGES} changes of a route, {requests} requests, 0 failed"
    ));
    ensure!(seen.len() == 2, "{seen:?}");
    Ok(())
}

/// The agent knows that Envoy has all of it, and has nothing to complain of.
async fn current(pod: &Pod) -> Result<()> {
    let quiet = || async {
        let status = pod.status().await?;
        ensure!(
            status["proxies"][0]["state"] == "current",
            "{}",
            status["proxies"]
        );
        let errors = status["refusals"].as_array().into_iter().flatten();
        let errors: Vec<&Value> = errors.filter(|refusal| refusal["severity"] == "error").collect();
        ensure!(errors.is_empty(), "{errors:?}");
        Ok(())
    };
    eventually("the agent has nothing to complain of", SOON, quiet).await
}
