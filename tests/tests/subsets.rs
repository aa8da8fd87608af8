//! Subsets of a Service by the labels of its Pods: a canary by weight and by header, and a switch from blue to green under
//! load. Real agent, real Envoy, a directory.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sealgate_tests::client::{Connection, Tls, Version, fetch};
use sealgate_tests::manifests::{gateway, virtual_service};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};

const SOON: Duration = Duration::from_secs(10);
const HOST: &str = "a.aliyun.com";
const RULE: &str = "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app}
spec:
  host: app
  subsets:
  - {name: blue, labels: {color: blue}}
  - {name: green, labels: {color: green}}
  - {name: live, labels: {state: live}}
  - {name: none, labels: {color: red}}
";
const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {ports: [{name: http, port: 80}]}\n";

/// One endpoint, of the Pod of that name.
fn slice(pod: &str, port: u16) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: app-{pod}, labels: {{kubernetes.io/service-name: app}}}}\n\
         addressType: IPv4\nports: [{{name: http, port: {port}}}]\n\
         endpoints: [{{addresses: [127.0.0.1], targetRef: {{kind: Pod, name: {pod}}}}}]\n---\n"
    )
}

fn pods(live: &str) -> String {
    let pod = |name: &str| {
        let state = if name == live { "live" } else { "idle" };
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{color: {name}, state: {state}}}}}\n---\n"
        )
    };
    pod("blue") + &pod("green")
}

fn route(subset: &str, weight: u32) -> String {
    format!("{{destination: {{host: app, subset: {subset}}}, weight: {weight}}}")
}

/// A file appears with all of its text, or not at all.
fn replace(site: &Site, name: &str, text: &str) -> Result<()> {
    let new = site.dir().with_file_name("new.yaml");
    fs::write(&new, text)?;
    Ok(fs::rename(new, site.dir().join(name))?)
}

fn routes(site: &Site, rules: &str) -> Result<()> {
    replace(site, "routes.yaml", &virtual_service("app", HOST, rules))
}

/// Two upstreams behind one Service, with all traffic to the live one.
async fn site() -> Result<Site> {
    let site = Site::start_with(Vec::new()).await?;
    Authority::new("CA")?
        .leaf(&["*.aliyun.com"])?
        .write(&site.dir().join("edge"))?;
    let slices = slice("blue", echo::start("blue").await?) + &slice("green", echo::start("green").await?);
    site.write("pods.yaml", &pods("blue"))?;
    site.write("app.yaml", &format!("{slices}{SERVICE}---\n{RULE}"))?;
    site.write("gateway.yaml", &gateway("edge", ""))?;
    routes(&site, &format!("  - route: [{}]\n", route("live", 1)))?;
    goes_to(&site, "blue").await?;
    Ok(site)
}

/// Who answers a request: the first line of the answer.
async fn asked(site: &Site) -> Result<String> {
    let (answer, _) = fetch(site.https, HOST, "/", &Tls::new(Version::H2, None)?).await?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(answer.body.lines().next().unwrap_or_default().to_owned())
}

async fn goes_to(site: &Site, upstream: &str) -> Result<()> {
    let attempt = || async {
        let found = asked(site).await?;
        ensure!(found == upstream, "it goes to {found}");
        Ok(())
    };
    eventually(&format!("requests go to {upstream}"), SOON, attempt).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_gets_its_weight_and_whoever_asks_for_it() -> Result<()> {
    let site = site().await?;
    let canary = format!(
        "  - match: [{{headers: {{x-canary: {{exact: \"1\"}}}}}}]\n    route: [{}]\n  - route: [{}, {}]\n",
        route("green", 1),
        route("blue", 75),
        route("green", 25)
    );
    routes(&site, &canary)?;
    let header = || async {
        let mut connection = Connection::open(site.https, HOST, &Tls::new(Version::H2, None)?).await?;
        let answer = connection.get_with(HOST, "/", &[("x-canary", "1")]).await?;
        ensure!(answer.context("no answer")?.status == 200);
        Ok(())
    };
    eventually("the canary answers", SOON, header).await?;
    goes_to(&site, "green").await?;
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..200 {
        *counts.entry(asked(&site).await?).or_default() += 1;
    }
    let green = counts.get("green").copied().unwrap_or_default();
    ensure!(counts.len() == 2 && (20..=85).contains(&green), "{counts:?}");

    routes(&site, &format!("  - route: [{}]\n", route("none", 1)))?;
    let empty = || async {
        let (answer, _) = fetch(site.https, HOST, "/", &Tls::new(Version::H2, None)?).await?;
        ensure!(answer.status == 503, "{}", answer.status);
        Ok(())
    };
    eventually("a subset without Pods answers 503", SOON, empty).await?;
    let (_, report) = site.check()?;
    ensure!(
        report["findings"].to_string().contains("empty-subset"),
        "{report}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_switches_blue_to_green_without_a_failed_request() -> Result<()> {
    let site = Arc::new(site().await?);
    let stop = Arc::new(AtomicBool::new(false));
    let load = (0..4).map(|_| {
        let (site, stop) = (Arc::clone(&site), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut answered = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                asked(&site).await?;
                answered += 1;
            }
            anyhow::Ok(answered)
        })
    });
    let load: Vec<_> = load.collect();
    for live in ["green", "blue", "green", "blue", "green"] {
        replace(&site, "pods.yaml", &pods(live))?;
        goes_to(&site, live).await?;
        // All of them: nobody is sent to the one that was live before.
        for _ in 0..20 {
            let found = asked(&site).await?;
            if found != live {
                bail!("{live} is live, and a request went to {found}");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for task in load {
        answered += task.await??;
    }
    ensure!(answered > 100, "only {answered} requests");
    Ok(())
}
