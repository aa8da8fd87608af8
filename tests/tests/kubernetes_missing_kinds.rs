//! An API server that does not have every kind, or has it in another version.

use anyhow::{Result, ensure};
use sealgate_tests::cluster::{Cluster, DEFINITIONS, watch};
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::manifests::HELLO;

const SELECTING: &str = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: machines}
spec:
  hosts: [machines.local]
  resolution: STATIC
  workloadSelector: {labels: {app: machine}}
  ports: [{number: 80, name: http, protocol: HTTP}]
";

/// The definitions as documents.
fn definitions() -> Vec<&'static str> {
    DEFINITIONS
        .split("\n---\n")
        .filter(|text| text.contains("kind: CustomResourceDefinition"))
        .collect()
}

fn definition_of(plural: &str) -> &'static str {
    let name = format!("  name: {plural}.networking.istio.io\n");
    definitions()
        .into_iter()
        .find(|text| text.contains(&name))
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_missing_is_said_and_looked_for_again() -> Result<()> {
    let plane = ControlPlane::start().await?;
    let mut cluster = Cluster::undefined(&plane, &[]).await?;
    cluster.site.start_agent().await?;
    let status = cluster.site.status().await?;
    for kind in [
        "Gateway",
        "VirtualService",
        "DestinationRule",
        "ServiceEntry",
        "WorkloadEntry",
    ] {
        let (state, message) = watch(&status, kind).unwrap_or_default();
        ensure!(
            state == "missing" && message.contains("networking.istio.io") && message.contains("again"),
            "{kind}: {state} {message}"
        );
    }
    ensure!(
        watch(&status, "EndpointSlice").is_some_and(|(state, _)| state == "following"),
        "{status}"
    );
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;

    // All but one.
    for plural in ["gateways", "virtualservices", "destinationrules"] {
        cluster.objects.define(definition_of(plural)).await?;
    }
    cluster.gateway("aliyun-com", "").await?;
    cluster.virtual_service("a", "a.aliyun.com", HELLO).await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    let status = cluster.site.status().await?;
    let (state, message) = watch(&status, "ServiceEntry").unwrap_or_default();
    ensure!(
        state == "missing" && message.contains("serviceentries"),
        "{status}"
    );

    cluster.objects.define(definition_of("serviceentries")).await?;
    cluster.upstreams().await?;
    cluster.answered("a.aliyun.com", "/hello", 200).await?;

    // A ServiceEntry that selects waits for its WorkloadEntries, and nobody else does.
    cluster.objects.apply(SELECTING).await?;
    cluster
        .virtual_service(
            "b",
            "b.aliyun.com",
            &HELLO.replace("welcome.local", "machines.local"),
        )
        .await?;
    cluster.answered("b.aliyun.com", "/hello", 503).await?;
    let status = cluster.site.status().await?;
    ensure!(
        watch(&status, "WorkloadEntry").is_some_and(|(state, _)| state == "missing")
            && status["source"]["up"] == true,
        "{status}"
    );
    cluster.objects.define(definition_of("workloadentries")).await?;
    let workload = format!(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: one, labels: {{app: machine}}}}\n\
         spec: {{address: 127.0.0.1, ports: {{http: {}}}}}\n",
        cluster.site.welcome
    );
    cluster.objects.apply(&workload).await?;
    cluster.answered("b.aliyun.com", "/hello", 200).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_v1_is_not_served_v1beta1_is_watched() -> Result<()> {
    let plane = ControlPlane::start().await?;
    let mut cluster = Cluster::undefined(&plane, &[]).await?;
    for text in definitions() {
        cluster.objects.define(&without_v1(text)?).await?;
    }
    cluster.site.start_agent().await?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    let older = |text: String| text.replace("networking.istio.io/v1\n", "networking.istio.io/v1beta1\n");
    let gateway = older(cluster.own(&sealgate_tests::manifests::gateway("aliyun-com", "")));
    cluster.objects.apply(&gateway).await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await
}

/// The definition with `v1` not served.
fn without_v1(text: &str) -> Result<String> {
    let mut definition: serde_json::Value = serde_saphyr::from_str(text)?;
    let versions = definition["spec"]["versions"].as_array_mut();
    for version in versions.into_iter().flatten() {
        let is_v1 = version["name"] == "v1";
        version["served"] = (!is_v1).into();
    }
    // JSON is YAML.
    Ok(definition.to_string())
}
