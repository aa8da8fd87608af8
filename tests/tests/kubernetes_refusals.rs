//! What the definitions in `envoy/kubernetes` reject before any agent sees it, and that they reject no more than
//! `check` does; and that a namespace which enforces the Pod Security level "restricted" accepts the gateway's pods.

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::kube::ControlPlane;
use serde_json::{Value, json};

const CRDS: &str = include_str!("../../envoy/kubernetes/crds.yaml");
const GATEWAY: &str = include_str!("../../envoy/kubernetes/gateway/gateway.yaml");
/// Kind, `spec`, and a word of the reason.
const REFUSED: [(&str, &str, &str); 25] = [
    ("VirtualService", "hosts: [a], http: []", "spec.http"),
    (
        "VirtualService",
        "gateways: [g], http: [{ route: [{ destination: { host: a } }] }]",
        "there are no hosts",
    ),
    (
        "VirtualService",
        "http: [{ match: [{ uri: { prefix: / } }] }]",
        "one of route, redirect, directResponse, delegate is needed",
    ),
    (
        "VirtualService",
        "http: [{ redirect: { uri: / }, directResponse: { status: 200 } }]",
        "only one of route, redirect, directResponse, delegate",
    ),
    (
        "VirtualService",
        "http: [{ redirect: { uri: / }, fault: { abort: { httpStatus: 500 } } }]",
        "neither redirect nor directResponse",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a } }], mirror: { host: a }, mirrors: [{ destination: { host: b } }] }]",
        "only one of mirror and mirrors",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a }, weight: -1 }] }]",
        "route[0].weight",
    ),
    (
        "VirtualService",
        "http: [{ route: [{}] }]",
        "route[0].destination",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a b } }] }]",
        "destination.host",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a, port: { number: 0 } } }] }]",
        "port.number",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a } }], timeout: 0s }]",
        "at least 1ms",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a } }], match: [{ uri: { regex: '' } }] }]",
        "uri.regex",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a } }], fault: { abort: { percentage: { value: 101 } } } }]",
        "percentage.value",
    ),
    (
        "VirtualService",
        "http: [{ redirect: {} }]",
        "derivePort and scheme is needed",
    ),
    (
        "VirtualService",
        "http: [{ redirect: { uri: /, redirectCode: 305 } }]",
        "redirectCode",
    ),
    (
        "VirtualService",
        "http: [{ directResponse: { status: 99 } }]",
        "directResponse.status",
    ),
    ("VirtualService", "http: [{ delegate: {} }]", "delegate.name"),
    ("Gateway", "servers: []", "spec.servers"),
    (
        "Gateway",
        "servers: [{ port: { number: 80, protocol: HTPP }, hosts: ['*'] }]",
        "unknown protocol",
    ),
    (
        "Gateway",
        "servers: [{ port: { number: 0, protocol: HTTP }, hosts: ['*'] }]",
        "port.number",
    ),
    (
        "Gateway",
        "servers: [{ port: { number: 80, protocol: HTTP }, hosts: ['https://a.b'] }]",
        "hosts[0]",
    ),
    (
        "Gateway",
        "servers: [{ port: { number: 443, protocol: https }, hosts: ['*'] }]",
        "needs tls",
    ),
    (
        "Gateway",
        "servers: [{ port: { number: 443, protocol: HTTPS }, hosts: ['*'], tls: { mode: SIMPEL } }]",
        "tls.mode",
    ),
    (
        "DestinationRule",
        "host: a, subsets: [{ name: a b }]",
        "subsets[0].name",
    ),
    (
        "ServiceEntry",
        "hosts: [a], ports: [{ number: 70000 }]",
        "ports[0].number",
    ),
];
/// What Istio takes too, in whatever letters, and nulls, which are as good as nothing.
const TAKEN: [(&str, &str); 9] = [
    (
        "Gateway",
        "servers: [{ port: { number: 80, protocol: Grpc-Web }, hosts: ['*'] }, { port: { number: 81, protocol: mongo }, hosts: ['*'] }]",
    ),
    (
        "Gateway",
        "servers: [{ port: { number: 443, protocol: https, name: null }, hosts: ['ns/*.a.b', ./a, '*/c'], \
         tls: { mode: null, credentialName: a, minProtocolVersion: null } }]",
    ),
    (
        "VirtualService",
        "http: [{ route: [{ destination: { host: a }, weight: 0 }, { destination: { host: b.C. }, weight: null }], \
         redirect: null, directResponse: null, delegate: null, mirror: null, fault: null, rewrite: null, timeout: null }]",
    ),
    (
        "VirtualService",
        "http: [{ redirect: { uri: /a, port: null, derivePort: null, redirectCode: null, scheme: null }, fault: null }]",
    ),
    (
        "VirtualService",
        "http: [{ match: [{ uri: { exact: /a, prefix: null }, headers: { a: null, b: {} } }], route: [{ destination: { host: a } }], \
         mirror: { host: b }, mirrors: [], timeout: 1h30m1.5s, corsPolicy: { unmatchedPreflights: null } }]",
    ),
    (
        "VirtualService",
        "hosts: [A.b], gateways: [mesh, ./g, g.ns.svc.cluster.local], http: [{ delegate: { name: a, namespace: null } }]",
    ),
    (
        "VirtualService",
        "hosts: [a], tcp: [{ route: [{ destination: { host: a } }] }]",
    ),
    (
        "DestinationRule",
        "host: '*.a', trafficPolicy: { tls: { mode: '' } }, subsets: []",
    ),
    (
        "ServiceEntry",
        "hosts: ['*.x'], ports: [{ number: 1, targetPort: null }], endpoints: [{ address: '::1', ports: { a: 1 } }]",
    ),
];

fn object(kind: &str, spec: &str) -> String {
    format!("apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{ name: a }}\nspec: {{ {spec} }}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_object_shows_to_be_wrong_is_refused_by_its_place() -> Result<()> {
    let objects = ControlPlane::shared().await?.namespace("refused").await?;
    objects.define(CRDS).await?;
    for (kind, spec, reason) in REFUSED {
        let answer = objects.apply(&object(kind, spec)).await;
        let error = answer.err().with_context(|| format!("{spec} was taken"))?;
        ensure!(format!("{error:#}").contains(reason), "{spec}: {error:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agent_takes_is_taken() -> Result<()> {
    let objects = ControlPlane::shared().await?.namespace("taken").await?;
    objects.define(CRDS).await?;
    for (kind, spec) in TAKEN {
        objects.apply(&object(kind, spec)).await.context(spec)?;
    }
    Ok(())
}

/// The pod that the Deployment would make: the level is asked of pods, and no controller runs here.
fn pod(namespace: &str) -> Result<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(GATEWAY)?;
    let mut deployments = documents
        .iter()
        .filter(|document| document["kind"] == "Deployment");
    let deployment = deployments.next().context("no Deployment")?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "gateway", "namespace": namespace },
        "spec": deployment["spec"]["template"]["spec"],
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_enforces_restricted_takes_the_gateways_pod() -> Result<()> {
    let objects = ControlPlane::shared().await?.namespace("level").await?;
    let namespace = format!("{}-restricted", objects.namespace);
    let text = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": namespace, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
    objects.apply(&text.to_string()).await?;
    let mut pod = pod(&namespace)?;
    objects.apply(&pod.to_string()).await?;

    // The same with one right more is not taken, so the level is enforced.
    pod["metadata"]["name"] = "loose".into();
    pod["spec"]["initContainers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
    let error = objects.apply(&pod.to_string()).await.err();
    let error = error.context("a looser pod was taken")?;
    ensure!(format!("{error:#}").contains("violates PodSecurity"), "{error:#}");
    Ok(())
}
