//! The endpoints of a Service from the API: Envoy has the addresses of its EndpointSlices. The API server does not
//! allow loopback addresses there, so no request is sent: the addresses are unused, and Envoy's admin interface shows
//! them.

use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::eventually;
use sealgate_tests::kube::{ControlPlane, Objects};
use sealgate_tests::manifests::{gateway, virtual_service};
use sealgate_tests::site::{Site, Source};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const DEFINITIONS: &str = include_str!("../../envoy/kubernetes/crds.yaml");
const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: app}\n\
                       spec: {ports: [{name: http, port: 80, targetPort: 8080}]}\n";
const ROUTE: &str = "  - route: [{destination: {host: app, port: {number: 80}}}]\n";

/// Addresses are of the networks that are kept free for documents.
fn slice(name: &str, endpoints: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, labels: {{kubernetes.io/service-name: app}}}}\n\
         addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints: [{endpoints}]\n"
    )
}

/// The addresses that Envoy has for the Service.
async fn addresses(site: &Site, namespace: &str) -> Result<Vec<String>> {
    let page: Value = serde_json::from_str(&site.envoy_page("/clusters?format=json").await?)?;
    let name = format!("outbound|80||app.{namespace}.svc.cluster.local");
    let clusters = page["cluster_statuses"].as_array().into_iter().flatten();
    let own = clusters.filter(|cluster| cluster["name"] == name.as_str());
    let hosts = own.flat_map(|cluster| cluster["host_statuses"].as_array().into_iter().flatten());
    let mut found: Vec<String> = hosts
        .map(|host| {
            let socket = &host["address"]["socket_address"];
            format!(
                "{}:{}",
                socket["address"].as_str().unwrap_or_default(),
                socket["port_value"]
            )
        })
        .collect();
    found.sort();
    Ok(found)
}

async fn serving(objects: &Objects, plane: &ControlPlane) -> Result<Site> {
    let mut site = Site::prepare().await?;
    site.source = Source::Kubernetes {
        kubeconfig: plane.admin().kubeconfig.clone(),
        namespace: objects.namespace.clone(),
    };
    // Others apply objects to the same cluster meanwhile.
    site.flags = vec![objects.labels()];
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    let route = virtual_service("app", "app.aliyun.com", ROUTE);
    for text in [SERVICE, &gateway("app", ""), &route] {
        objects.apply(&objects.own(text)).await?;
    }
    Ok(site)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_follow_their_slices() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let objects = plane.namespace("endpoints").await?;
    objects.define(DEFINITIONS).await?;
    let site = serving(&objects, plane).await?;
    let first = "{addresses: [198.51.100.1]}, {addresses: [198.51.100.2], conditions: {ready: false}}";
    let ready = first.replace("false", "true");
    let steps: [(&str, &str, &[&str]); 3] = [
        ("app-1", first, &["198.51.100.1:8080"]),
        ("app-1", &ready, &["198.51.100.1:8080", "198.51.100.2:8080"]),
        (
            "app-2",
            "{addresses: [203.0.113.1]}",
            &["198.51.100.1:8080", "198.51.100.2:8080", "203.0.113.1:8080"],
        ),
    ];
    for (name, endpoints, expected) in steps {
        objects.apply(&slice(name, endpoints)).await?;
        has(&site, &objects, expected).await?;
    }
    objects.delete(&slice("app-1", "")).await?;
    has(&site, &objects, &["203.0.113.1:8080"]).await
}

async fn has(site: &Site, objects: &Objects, expected: &[&str]) -> Result<()> {
    let attempt = || async {
        let found = addresses(site, &objects.namespace).await?;
        ensure!(found == expected, "{found:?}");
        Ok(())
    };
    eventually(&format!("Envoy has {expected:?}"), SOON, attempt).await
}
