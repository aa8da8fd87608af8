//! The guard: Envoy gets new routes before new listeners, so for a moment, Sealgate's routes are used with listeners,
//! or connections of listeners, that do not remove headers yet. A client that sends the header with which the filter
//! names a cluster must not be able to choose one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Answer, Connection};
use sealgate_tests::front::{SOON, say};
use sealgate_tests::istio::Pod;
use sealgate_tests::{echo, eventually};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::edge::Edge;

/// How often the filter is put in and taken out.
const TURNS: usize = 25;
/// How many requests a run has to have made to count.
const REQUESTS: u64 = 5_000;
/// On each of these there are requests one after the other.
const KEPT: usize = 3;
const NEW: usize = 3;
const FORGED: &[(&str, &str)] = &[("x-sealgate-cluster", "outbound|80||other.local")];

const GATEWAY: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gateway, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test] }
";

/// What came back.
#[derive(Debug, Default)]
struct Load {
    stop: AtomicBool,
    right: AtomicU64,
    chosen: AtomicU64,
    others: AtomicU64,
}

/// How many answers were what.
struct Seen {
    turns: usize,
    /// Of the upstream that Istio's own route names.
    right: u64,
    /// Of the one that the client named.
    chosen: u64,
    /// Neither.
    others: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            turns,
            right,
            chosen,
            others,
        } = self;
        write!(
            f,
            "in {turns} turns {right} right answers, {chosen} of what the client chose, {others} others"
        )
    }
}

impl Load {
    fn note(&self, answer: &Answer) {
        let count = match answer.body.lines().next() {
            Some("app") if answer.status == 200 => &self.right,
            Some("other") => &self.chosen,
            _ => &self.others,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn seen(&self, turns: usize) -> Seen {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Seen {
            turns,
            right: of(&self.right),
            chosen: of(&self.chosen),
            others: of(&self.others),
        }
    }
}

/// Forged requests until it is told to stop, each on a new connection or on one for as long as it lasts.
async fn forge(load: Arc<Load>, port: u16, keep: bool) {
    let mut connection: Option<Connection> = None;
    while !load.stop.load(Ordering::Relaxed) {
        let mut open = match connection.take().filter(|open| !open.is_over()) {
            Some(open) => open,
            None => match Connection::open_plain(port).await {
                Ok(open) => open,
                // Between two listeners there may be none: no answer is no wrong one.
                Err(_) => continue,
            },
        };
        if let Ok(Some(answer)) = open.get_with("a.test", "/", FORGED).await {
            load.note(&answer);
            let ends = answer
                .headers
                .get("connection")
                .is_some_and(|value| value == "close");
            connection = (keep && !ends).then_some(open);
        }
    }
}

impl Edge {
    /// Waits until Envoy's routes and listeners have what the filter adds, or have it no more.
    async fn settled(&self, pod: &Pod, there: bool) -> Result<()> {
        let attempt = || async {
            for (what, path) in [
                ("early_header_mutation", "listeners"),
                ("x-sealgate-cluster", "route_configs"),
            ] {
                let dump = pod
                    .envoy_page(&format!("/config_dump?resource=dynamic_{path}"))
                    .await?;
                let active = dump.contains(what) && !dump.contains("warming_state");
                ensure!(active == there, "{path}");
            }
            Ok(())
        };
        eventually(&format!("the filter is there: {there}"), SOON, attempt).await
    }

    /// Puts the filter in and takes it out under forged requests.
    async fn turns(&self, pod: &Pod, filter: &str) -> Result<Seen> {
        let load = Arc::new(Load::default());
        let mut tasks = JoinSet::new();
        for at in 0..KEPT + NEW {
            tasks.spawn(forge(Arc::clone(&load), self.mesh.http, at < KEPT));
        }
        let mut turns = 0;
        while turns < TURNS || load.seen(turns).right < REQUESTS {
            self.apply(filter).await?;
            self.settled(pod, true).await?;
            self.mesh.objects.delete(filter).await?;
            self.settled(pod, false).await?;
            turns += 1;
        }
        load.stop.store(true, Ordering::Relaxed);
        while tasks.join_next().await.is_some() {}
        Ok(load.seen(turns))
    }
}

/// The EnvoyFilter among these objects.
fn filter_of(objects: &str) -> Result<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(objects)?;
    let mut filters = objects
        .into_iter()
        .filter(|object| object["kind"] == "EnvoyFilter");
    filters.next().context("no EnvoyFilter")
}

/// The same without the guard: its routes ask for no mark.
fn unguarded(mut filter: Value) -> Result<Value> {
    let mut unmarked = 0;
    for patch in filter["spec"]["configPatches"]
        .as_array_mut()
        .context("no patches")?
    {
        if let Some(found) = patch["patch"]["value"]["match"].as_object_mut() {
            unmarked += usize::from(found.remove("filter_state").is_some());
        }
    }
    ensure!(unmarked > 0, "no route of it asks for the mark");
    Ok(filter)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs istiod: cargo xtask test istio"]
async fn no_client_chooses_a_cluster_while_the_filter_comes_and_goes() -> Result<()> {
    let edge = Edge::prepare(&Value::Null).await?;
    let mut pod = edge.mesh.pod().await?;
    pod.start_proxy().await?;
    for name in ["app", "other"] {
        edge.upstream(name, echo::start(name).await?).await?;
    }
    edge.route("app", "a.test").await?;
    edge.apply(GATEWAY).await?;
    let ready = edge.front.answered(None, ("a.test", "/"), (200, "app")).await;
    ready.with_context(|| pod.logs())?;
    // The routes and the guard of all forms are the same.
    let form = ["wasm", &edge.mesh.port_map()];
    let filter = filter_of(&edge.mesh.manifests(&form, GATEWAY)?)?;

    let seen = edge.turns(&pod, &unguarded(filter.clone())?.to_string()).await?;
    say(&format!("without the guard: {seen}"));
    ensure!(
        seen.chosen > 0,
        "the race is not seen without the guard: this test shows nothing"
    );
    let seen = edge.turns(&pod, &filter.to_string()).await?;
    say(&format!("with the guard: {seen}"));
    ensure!((seen.chosen, seen.others) == (0, 0), "{seen}");
    Ok(())
}
