//! The cost of Pods: those of a namespace, of which a few are in a subset's Service.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::figures::Figures;
use super::objects::{APPS, Route, istio, service, service_host};
use super::stand::Stand;
use crate::eventually;

/// In the Service, and in its subset.
const MEMBERS: usize = 100;
const NAME: &str = "podded";
const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// The agent's and Envoy's memory without Pods, with Pods that nobody needs, and with a subset that needs them.
pub(super) async fn pods(figures: &mut Figures, stand: &Stand, count: usize) -> Result<()> {
    figures.set("pods", count as f64);
    figures.memory("pods_none", stand.settled_memory().await?);
    let all = (0..count).map(pod);
    stand.place.fill("pods", all.collect()).await?;
    stand.calm().await?;
    figures.memory("pods_unneeded", stand.settled_memory().await?);
    stand.place.create("podded", podded()).await?;
    eventually("Envoy has the Pods of the subset", SOON, || has_members(stand)).await?;
    stand.calm().await?;
    let needed = stand.settled_memory().await?;
    figures.memory("pods_needed", needed);
    let before = figures.get("pods_unneeded_agent").unwrap_or_default();
    figures.set("pods_bytes_each", (needed.0 - before) * 1e6 / count as f64);
    Ok(())
}

/// A Pod like those of a Deployment.
fn pod(at: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("app-6d4b75cb6d-{at:05}"),
            "namespace": APPS,
            "labels": {"app": "app", "version": "v1", "pod-template-hash": "6d4b75cb6d"},
            "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-01T00:00:00Z"},
        },
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    })
}

/// A Service with some of them, its subset, and a route to it.
fn podded() -> Vec<Value> {
    let endpoint = |at: usize| {
        json!({
            "addresses": [format!("198.51.100.{}", at + 1)],
            "targetRef": {"kind": "Pod", "name": format!("app-6d4b75cb6d-{at:05}"), "namespace": APPS},
        })
    };
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{NAME}-1"), "namespace": APPS, "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": (0..MEMBERS).map(endpoint).collect::<Vec<_>>(),
    });
    let rule = json!({"host": NAME, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]});
    let mut route = Route::plain(NAME);
    route.service = service_host(NAME);
    let mut route = route.object("0");
    if let Some(to) = route.pointer_mut("/spec/http/0/route/0/destination") {
        to["subset"] = json!("v1");
    }
    vec![
        service(NAME),
        slice,
        istio("DestinationRule", APPS, NAME, rule),
        route,
    ]
}

async fn has_members(stand: &Stand) -> Result<()> {
    let page = stand.machine.envoy_page("/clusters?format=json").await?;
    let page: Value = serde_json::from_str(&page)?;
    let name = format!("outbound|80|v1|{}", service_host(NAME));
    let mut clusters = page["cluster_statuses"].as_array().into_iter().flatten();
    let own = clusters.find(|cluster| cluster["name"] == name.as_str());
    let hosts = own
        .and_then(|own| own["host_statuses"].as_array())
        .map_or(0, Vec::len);
    ensure!(hosts == MEMBERS, "{hosts} of {MEMBERS}");
    Ok(())
}
