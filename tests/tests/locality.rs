//! Which endpoints come first, by where they are: Istio's tasks "locality failover" and "locality weighted
//! distribution", and what EndpointSlices say about endpoints. Real agent, real Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::fetch_plain;
use sealgate_tests::eventually;
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of};
use sealgate_tests::origin::OriginServer;
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(20);
const HOST: &str = "helloworld.test";

/// The task's localities, the client's own first.
const PLACES: [(&str, &str); 4] = [
    ("one", "region1/zone1"),
    ("two", "region1/zone2"),
    ("three", "region2/zone3"),
    ("four", "region3/zone4"),
];

/// How the service is described.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Endpoints by address.
    Static,
    /// Endpoints by name, which Envoy resolves.
    Named,
    /// A Service, with its slices and Pods.
    Cluster,
}

/// A gateway of the task's client, and `helloworld` in each of the localities.
struct Stand {
    site: Site,
    origins: Vec<OriginServer>,
}

impl Stand {
    async fn start() -> Result<Self> {
        let site = Site::start_with(vec!["--locality=region1/zone1".to_owned()]).await?;
        let server = plain_server(80, "*.test");
        site.write("gateway.yaml", &gateway_of("istio-system", "gateway", &server))?;
        let to = "  - route: [{destination: {host: helloworld.default.svc.cluster.local}}]\n";
        let routes = routes_of("istio-system", "helloworld", ("gateway", HOST), to);
        site.write("routes.yaml", &routes)?;
        let mut origins = Vec::new();
        for (name, _) in PLACES {
            origins.push(OriginServer::start(name, None).await?);
        }
        Ok(Self { site, origins })
    }

    async fn of(form: Form) -> Result<Self> {
        let stand = Self::start().await?;
        let text = match form {
            Form::Static => stand.entry("STATIC", "127.0.0.1"),
            Form::Named => stand.entry("DNS", "localhost"),
            Form::Cluster => {
                let slices: String = (0..PLACES.len()).map(|at| stand.slice(at, "{}")).collect();
                format!("{SERVICE}---\n{slices}{}", pods())
            }
        };
        stand.replace("helloworld.yaml", &text)?;
        Ok(stand)
    }

    fn entry(&self, resolution: &str, address: &str) -> String {
        let endpoints = self.origins.iter().zip(PLACES).map(|(origin, (_, locality))| {
            let port = origin.port;
            format!("  - {{address: {address}, ports: {{http: {port}}}, locality: {locality}}}\n")
        });
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: helloworld}}\nspec:\n\
             \x20 hosts: [helloworld.default.svc.cluster.local]\n  resolution: {resolution}\n\
             \x20 ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints:\n{}",
            endpoints.collect::<String>()
        )
    }

    /// The slice of one endpoint, and its conditions.
    fn slice(&self, at: usize, conditions: &str) -> String {
        let (name, locality) = PLACES[at];
        let (port, zone) = (
            self.origins[at].port,
            locality.split('/').nth(1).unwrap_or_default(),
        );
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: helloworld-{name}, labels: {{kubernetes.io/service-name: helloworld}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: {port}}}]\nendpoints:\n\
             - {{addresses: [127.0.0.1], zone: {zone}, conditions: {conditions}, targetRef: {{kind: Pod, name: {name}}}}}\n---\n"
        )
    }

    /// A file appears with all of its text, or not at all.
    fn replace(&self, name: &str, text: &str) -> Result<()> {
        let new = self.site.dir().with_file_name("new.yaml");
        fs::write(&new, text)?;
        Ok(fs::rename(new, self.site.dir().join(name))?)
    }

    fn policy(&self, policy: &str) -> Result<()> {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: helloworld}}\nspec:\n\
             \x20 host: helloworld.default.svc.cluster.local\n  trafficPolicy:\n{policy}"
        );
        self.replace("policy.yaml", &text)
    }

    /// Who answers a request.
    async fn asked(&self) -> Result<String> {
        let answer = fetch_plain(self.site.http, HOST, "/").await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        let name = answer.body.split(' ').next();
        Ok(name.unwrap_or_default().to_owned())
    }

    /// Waits until only this one answers.
    async fn all_to(&self, name: &str) -> Result<()> {
        let attempt = || async {
            for _ in 0..12 {
                let found = self.asked().await?;
                ensure!(found == name, "{found} answers");
            }
            Ok(())
        };
        eventually(&format!("requests go to {name} alone"), SOON, attempt).await
    }

    /// So many requests, by who answers.
    async fn counted(&self, requests: usize) -> Result<BTreeMap<String, usize>> {
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            *counts.entry(self.asked().await?).or_default() += 1;
        }
        Ok(counts)
    }
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: helloworld}\nspec: {ports: [{name: http, port: 80}]}\n";

/// Slices know zones alone; these are in regions.
fn pods() -> String {
    let pods = PLACES.iter().map(|(name, locality)| {
        let label = locality.replace('/', ".");
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{topology.istio.io/locality: {label}}}}}\n---\n"
        )
    });
    pods.collect()
}

/// As the task has it, but that more than a tenth of the endpoints may be left out.
const FAILOVER: &str = "    connectionPool: {http: {maxRequestsPerConnection: 1}}
    loadBalancer:
      simple: ROUND_ROBIN
      localityLbSetting:
        enabled: true
        failover: [{from: region1, to: region2}]
    outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 1m, maxEjectionPercent: 100}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_stays_in_the_own_zone_and_fails_over_in_order() -> Result<()> {
    for form in [Form::Static, Form::Named, Form::Cluster] {
        let stand = Stand::of(form).await?;
        stand.policy(FAILOVER)?;
        for (at, (name, _)) in PLACES.iter().enumerate() {
            stand.all_to(name).await?;
            let counts = stand.counted(30).await?;
            ensure!(counts.len() == 1, "{form:?}: {counts:?}");
            stand.origins[at].end();
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_of_localities_hold() -> Result<()> {
    for form in [Form::Static, Form::Cluster] {
        let stand = Stand::of(form).await?;
        stand.policy(
            "    loadBalancer:\n      localityLbSetting:\n        enabled: true\n        distribute:\n\
             \x20       - from: region1/zone1/*\n          to: {\"region1/zone1/*\": 70, \"region1/zone2/*\": 20, \"region3/zone4/*\": 10}\n\
             \x20   outlierDetection: {consecutive5xxErrors: 100, interval: 1s, baseEjectionTime: 1m}\n",
        )?;
        eventually("the shares hold", SOON, || async {
            let counts = stand.counted(300).await?;
            let percent = |name: &str| counts.get(name).copied().unwrap_or_default() / 3;
            ensure!(percent("three") == 0, "{form:?}: {counts:?}");
            for (name, share) in [("one", 70), ("two", 20), ("four", 10_usize)] {
                ensure!(percent(name).abs_diff(share) <= 6, "{form:?}: {counts:?}");
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

const LEAVING: &str = "{ready: false, serving: true, terminating: true}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_end_get_no_requests_while_others_are_ready() -> Result<()> {
    let stand = Stand::start().await?;
    let slices = |one: &str, two: &str| stand.slice(0, one) + &stand.slice(1, two);
    stand.replace("service.yaml", SERVICE)?;
    stand.replace("slices.yaml", &slices("{ready: true}", "{ready: true}"))?;
    eventually("both answer", SOON, || async {
        let counts = stand.counted(20).await?;
        ensure!(counts.len() == 2, "{counts:?}");
        Ok(())
    })
    .await?;
    stand.replace("slices.yaml", &slices(LEAVING, "{ready: true}"))?;
    stand.all_to("two").await?;
    let before = stand.origins[0].requests();
    stand.counted(50).await?;
    ensure!(
        stand.origins[0].requests() == before,
        "one that ends got a request"
    );
    // Better than nobody.
    stand.replace("slices.yaml", &slices(LEAVING, "{ready: false}"))?;
    stand.all_to("one").await?;
    // The Service wishes for its own zone, and for another one as long as that has nobody.
    stand.replace("slices.yaml", &slices("{ready: true}", "{ready: true}"))?;
    let wishes = SERVICE.replace("spec: {", "spec: {trafficDistribution: PreferSameZone, ");
    stand.replace("service.yaml", &wishes)?;
    stand.all_to("one").await?;
    stand.replace("slices.yaml", &slices("{ready: false}", "{ready: true}"))?;
    stand.all_to("two").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_come_and_go_under_load_without_a_failed_request() -> Result<()> {
    let stand = Arc::new(Stand::start().await?);
    let ready = "{ready: true}";
    stand.replace("service.yaml", &format!("{SERVICE}---\n{}", pods()))?;
    stand.replace("slices.yaml", &stand.slice(0, ready))?;
    stand.policy(FAILOVER)?;
    stand.all_to("one").await?;
    let stop = Arc::new(AtomicBool::new(false));
    let load = (0..3).map(|_| {
        let (stand, stop) = (Arc::clone(&stand), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut answered = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                stand.asked().await?;
                answered += 1;
            }
            anyhow::Ok(answered)
        })
    });
    let load: Vec<_> = load.collect();
    let shares =
        "    loadBalancer: {localityLbSetting: {distribute: [{from: region1, to: {region1/zone2: 100}}]}}\n";
    for _ in 0..3 {
        // One ends, and others come in its stead, near and far.
        stand.replace("slices.yaml", &(stand.slice(0, LEAVING) + &stand.slice(2, ready)))?;
        stand.all_to("three").await?;
        stand.replace(
            "slices.yaml",
            &(stand.slice(1, ready) + &stand.slice(2, ready) + &stand.slice(3, ready)),
        )?;
        stand.all_to("two").await?;
        stand.replace("slices.yaml", &(stand.slice(0, ready) + &stand.slice(1, ready)))?;
        stand.all_to("one").await?;
        // Another policy, and back.
        stand.policy(shares)?;
        stand.all_to("two").await?;
        stand.policy(FAILOVER)?;
        stand.all_to("one").await?;
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for task in load {
        answered += task.await??;
    }
    ensure!(answered > 100, "only {answered} requests");
    Ok(())
}
