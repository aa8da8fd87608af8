//! Pods are added and removed, and policies change, under load: no request fails. Real agent, real Envoy, a directory;
//! each Pod is a server with its own address, which terminates like a Pod: it gets a signal first, then finishes its
//! requests.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use sealgate_tests::client::{Connection, Version, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::front::say;
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of};
use sealgate_tests::site::{Site, free_port};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

const HOST: &str = "shop.test";
const PODS: usize = 100;
/// One a second.
const REPLACED: usize = 20;
const CLIENTS: usize = 8;
const SOON: Duration = Duration::from_secs(20);
/// Seconds between the end of a Pod's readiness and its own.
const GRACE: usize = 2;
/// Each differs from the one before in all that it says.
const POLICIES: [&str; 5] = [
    "{loadBalancer: {simple: ROUND_ROBIN}}",
    "{connectionPool: {http: {http2MaxRequests: 500, maxRequestsPerConnection: 7}}}",
    "{loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 3, interval: 1s}}",
    "{loadBalancer: {simple: LEAST_REQUEST, warmup: {duration: 2s}}, connectionPool: {tcp: {connectTimeout: 2s}}}",
    "{retryBudget: {percent: 20, minRetryConcurrency: 3}}",
];

struct Pod {
    name: String,
    address: Ipv4Addr,
    end: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Pod {
    async fn start(number: u8, port: u16) -> Result<Self> {
        let (name, address) = (format!("pod-{number}"), Ipv4Addr::new(127, 9, 0, number));
        let (end, ended) = oneshot::channel::<()>();
        let listener = TcpListener::bind((address, port)).await?;
        let own = name.clone();
        let router = Router::new().fallback(async move || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            own
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = ended.await;
        });
        Ok(Self {
            name,
            address,
            end,
            served: tokio::spawn(server.into_future()),
        })
    }

    /// It answers what it has, then no more.
    async fn end(self) -> Result<()> {
        let _ = self.end.send(());
        Ok(self.served.await??)
    }
}

/// A gateway, a Service, and those of its Pods that run.
struct Shop {
    site: Site,
    port: u16,
    live: VecDeque<Pod>,
    ending: VecDeque<Pod>,
    next: u8,
}

impl Shop {
    async fn open() -> Result<Self> {
        let site = Site::start_with(Vec::new()).await?;
        let (port, live) = (free_port()?, VecDeque::new());
        let mut shop = Self {
            site,
            port,
            live,
            ending: VecDeque::new(),
            next: 1,
        };
        for _ in 0..PODS {
            shop.start_pod().await?;
        }
        let route = "  - route: [{destination: {host: shop}}]\n";
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{name: http, port: 80}]}\n";
        shop.replace(
            "gateway.yaml",
            &gateway_of("istio-system", "gateway", &plain_server(80, HOST)),
        )?;
        shop.replace(
            "routes.yaml",
            &routes_of("default", "shop", ("istio-system/gateway", HOST), route),
        )?;
        shop.replace("service.yaml", service)?;
        shop.publish()?;
        let answers = || async {
            let answer = fetch_plain(shop.site.http, HOST, "/").await?;
            ensure!(answer.status == 200, "{}", answer.status);
            Ok(())
        };
        eventually("the shop answers", SOON, answers).await?;
        Ok(shop)
    }

    /// A file appears with all of its text, or not at all.
    fn replace(&self, name: &str, text: &str) -> Result<()> {
        let new = self.site.dir().with_file_name("new.yaml");
        fs::write(&new, text)?;
        Ok(fs::rename(new, self.site.dir().join(name))?)
    }

    async fn start_pod(&mut self) -> Result<()> {
        self.live.push_back(Pod::start(self.next, self.port).await?);
        self.next += 1;
        Ok(())
    }

    /// What Kubernetes says of them.
    fn publish(&self) -> Result<()> {
        let endpoint = |pod: &Pod, conditions: &str| {
            let Pod { name, address, .. } = pod;
            format!(
                "- {{addresses: [{address}], targetRef: {{kind: Pod, name: {name}}}, conditions: {conditions}}}\n"
            )
        };
        let live = self.live.iter().map(|pod| endpoint(pod, "{ready: true}"));
        let ending = self.ending.iter();
        let ending = ending.map(|pod| endpoint(pod, "{ready: false, serving: true, terminating: true}"));
        let text = format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: shop-1, labels: {{kubernetes.io/service-name: shop}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: {}}}]\nendpoints:\n{}",
            self.port,
            live.chain(ending).collect::<String>()
        );
        self.replace("slice.yaml", &text)
    }

    /// A new Pod comes, the oldest is told to end, and those end whose time is over.
    async fn replace_one(&mut self) -> Result<()> {
        self.start_pod().await?;
        self.ending.extend(self.live.pop_front());
        if self.ending.len() > GRACE {
            self.ending.pop_front().context("no Pod ends")?.end().await?;
        }
        self.publish()
    }

    fn policy(&self, policy: &str) -> Result<()> {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: shop}}\n\
             spec:\n  host: shop\n  trafficPolicy: {policy}\n"
        );
        self.replace("policy.yaml", &text)
    }
}

/// Clients that ask as fast as they are answered, on connections that they keep.
struct Crowd {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<Vec<String>>>,
}

impl Crowd {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|client| {
            let version = if client % 2 == 0 { Version::H1 } else { Version::H2 };
            ask(port, version, Arc::clone(&stop))
        });
        Self {
            clients: clients.collect(),
            stop,
        }
    }

    /// Who answered, once for each request.
    async fn stop(self) -> Result<Vec<String>> {
        self.stop.store(true, Ordering::Relaxed);
        let each: Vec<_> = self.clients.join_all().await.into_iter().collect::<Result<_>>()?;
        Ok(each.concat())
    }
}

async fn ask(port: u16, version: Version, stop: Arc<AtomicBool>) -> Result<Vec<String>> {
    let mut answered = Vec::new();
    let mut connection = Connection::open_plain_as(port, version).await?;
    while !stop.load(Ordering::Relaxed) {
        let Some(answer) = connection.get(HOST, "/").await? else {
            connection = Connection::open_plain_as(port, version).await?;
            continue;
        };
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        answered.push(answer.body);
    }
    Ok(answered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_a_second_comes_and_goes() -> Result<()> {
    let mut shop = Shop::open().await?;
    let first = shop.next;
    let crowd = Crowd::start(shop.site.http);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..REPLACED {
        tick.tick().await;
        shop.replace_one().await?;
    }
    tick.tick().await;
    let answered = crowd.stop().await?;
    let by: BTreeSet<_> = answered.iter().collect();
    say(&format!(
        "{REPLACED} of {PODS} Pods replaced: {} requests, none failed",
        answered.len()
    ));
    for number in first..shop.next {
        ensure!(by.contains(&format!("pod-{number}")), "nobody asked pod-{number}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_changes_each_second() -> Result<()> {
    let shop = Shop::open().await?;
    let crowd = Crowd::start(shop.site.http);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    for round in 0..REPLACED {
        tick.tick().await;
        shop.policy(POLICIES[round % POLICIES.len()])?;
    }
    tick.tick().await;
    let answered = crowd.stop().await?;
    say(&format!(
        "{REPLACED} policies: {} requests, none failed",
        answered.len()
    ));
    let (_, report) = shop.site.check()?;
    ensure!(report["findings"] == serde_json::json!([]), "{report}");
    Ok(())
}
