//! Subsets of a Service from the API: Envoy has the addresses of the Pods with the labels. The API server does not
//! allow loopback addresses in an EndpointSlice, so no request is sent here.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::cluster::{Cluster, SOON, rights, watch};
use sealgate_tests::eventually;
use sealgate_tests::kube::ControlPlane;
use serde_json::Value;

const PODS: &str = "    resources: [pods]\n    verbs: [list, watch]\n";
const APP: &str = "apiVersion: v1
kind: Service
metadata: {name: app}
spec: {ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: app-1, labels: {kubernetes.io/service-name: app}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [198.51.100.1], targetRef: {kind: Pod, name: one}}
- {addresses: [198.51.100.2], targetRef: {kind: Pod, name: two}}
- {addresses: [198.51.100.3]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app}
spec: {host: app, subsets: [{name: v1, labels: {version: v1}}]}
";
const ROUTE: &str = "  - route: [{destination: {host: app, subset: v1}}]\n";

fn pod(name: &str, version: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{version: {version}}}}}\n\
         spec: {{containers: [{{name: app, image: app}}]}}\n"
    )
}

/// Envoy has these addresses for the subset.
async fn has(cluster: &Cluster, expected: &[&str]) -> Result<()> {
    let name = format!(
        "outbound|80|v1|app.{}.svc.cluster.local",
        cluster.objects.namespace
    );
    let attempt = || async {
        let page: Value = serde_json::from_str(&cluster.site.envoy_page("/clusters?format=json").await?)?;
        let clusters = page["cluster_statuses"].as_array().into_iter().flatten();
        let own = clusters.filter(|cluster| cluster["name"] == name.as_str());
        let hosts = own.flat_map(|cluster| cluster["host_statuses"].as_array().into_iter().flatten());
        let address = |host: &Value| {
            host["address"]["socket_address"]["address"]
                .as_str()
                .map(str::to_owned)
        };
        let mut found: Vec<String> = hosts.filter_map(address).collect();
        found.sort();
        ensure!(found == expected, "{found:?}");
        Ok(())
    };
    eventually(&format!("Envoy has {expected:?}"), SOON, attempt)
        .await
        .with_context(|| cluster.log_end())
}

/// How often the agent has said that it knows no Pods.
fn unread(cluster: &Cluster) -> Result<usize> {
    let log = fs::read_to_string(cluster.site.agent_log())?;
    Ok(log.matches("no Pod in the namespace").count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subset_follows_the_labels_of_pods_and_says_so_where_it_may_not_read_them() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::prepare(plane, &[]).await?;
    let namespace = cluster.objects.namespace.clone();
    let all = rights(&namespace);
    ensure!(all.contains(PODS), "{all}");
    let without = all.replace("resources: [pods]", "resources: [nothing]");
    cluster.objects.apply(&without).await?;
    cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.gateway("aliyun-com", "").await?;
    cluster.virtual_service("app", "a.aliyun.com", ROUTE).await?;
    cluster.objects.apply(APP).await?;
    for (name, version) in [("one", "v1"), ("two", "v2"), ("stranger", "v1")] {
        cluster.objects.apply(&pod(name, version)).await?;
    }

    // Without the right the gateway gets ready all the same.
    cluster.site.start_agent().await?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    has(&cluster, &["198.51.100.1", "198.51.100.2", "198.51.100.3"]).await?;
    let own = format!("Pods of {namespace}");
    cluster.site.agent_says("no Pod in the namespace").await?;
    let status = cluster.site.status().await?;
    let (state, message) = watch(&status, &own).unwrap_or_default();
    ensure!(
        state == "failed" && message.contains("cannot list resource \"pods\""),
        "{status}"
    );

    cluster.objects.apply(&all).await?;
    has(&cluster, &["198.51.100.1"]).await?;
    let is_followed = |status: &Value| watch(status, &own).is_some_and(|(state, _)| state == "following");
    cluster.until("the Pods are followed", is_followed).await?;

    cluster.objects.apply(&pod("two", "v1")).await?;
    has(&cluster, &["198.51.100.1", "198.51.100.2"]).await?;
    cluster.objects.apply(&pod("one", "v2")).await?;
    has(&cluster, &["198.51.100.2"]).await?;

    // A start waits for the Pods: nobody is told of all endpoints meanwhile.
    let said = unread(&cluster)?;
    cluster.site.kill_agent();
    cluster.site.start_agent().await?;
    has(&cluster, &["198.51.100.2"]).await?;
    ensure!(unread(&cluster)? == said, "the Pods were missed at the start");
    Ok(())
}
