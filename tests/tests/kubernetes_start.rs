//! While a list is still being read, an agent reports nothing about objects that may be in it: no warning, no Event. A
//! FAKE API server, because the real one cannot be made to answer later for one kind than for others.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealgate_tests::client::{self, Tls, Version};
use sealgate_tests::cluster::SOON;
use sealgate_tests::eventually;
use sealgate_tests::fake_api::FakeApi;
use sealgate_tests::manifests::{HELLO, HTTPBIN, entry, gateway, gateway_of, tls_server, virtual_service};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Site, Source};

/// What the agent lists for this gateway.
const COLLECTIONS: [&str; 7] = [
    "gateways",
    "virtualservices",
    "destinationrules",
    "serviceentries",
    "workloadentries",
    "endpointslices",
    "secrets",
];
/// Longer than the agent needs for all other lists.
const LATE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_raises_no_false_alarm_whichever_list_is_late() -> Result<()> {
    let starts = COLLECTIONS.map(|collection| async move {
        let quiet = starts_quietly(collection).await;
        quiet.with_context(|| format!("{collection} are late"))
    });
    futures::future::try_join_all(starts).await.map(drop)
}

async fn starts_quietly(late: &str) -> Result<()> {
    let api = FakeApi::start().await?;
    let mut site = kubernetes_site(&api).await?;
    fill(&api, &site)?;
    api.delay(late, LATE);
    for beside_envoy in [false, true] {
        site.start_agent().await?;
        if !beside_envoy {
            site.start_envoy(|bootstrap, _| bootstrap).await?;
        }
        for (host, path) in [("a.aliyun.com", "/hello"), ("b.aliyun.com", "/status/200")] {
            answered(&site, host, path).await?;
        }
        site.kill_agent();
    }
    is_quiet(&site, &api, late)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_gateway_raises_no_false_alarm_while_its_secret_is_read() -> Result<()> {
    let api = FakeApi::start().await?;
    let mut site = kubernetes_site(&api).await?;
    fill(&api, &site)?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    answered(&site, "a.aliyun.com", "/hello").await?;
    api.delay("secrets", LATE);
    let leaf = Authority::new("CA")?.leaf(&["b.example"])?;
    api.put("secrets", &stored("b-example", &leaf))?;
    let server = tls_server("b.example", "mode: SIMPLE, credentialName: b-example");
    let gateway = gateway_of("istio-system", "b", &server);
    api.put("gateways", gateway.trim_end_matches("---\n"))?;
    let attempt = || async {
        let tls = Tls::new(Version::H2, None)?;
        client::fetch(site.https, "b.example", "/", &tls).await
    };
    eventually("b.example", SOON, attempt).await?;
    is_quiet(&site, &api, "secrets")
}

async fn kubernetes_site(api: &FakeApi) -> Result<Site> {
    let mut site = Site::prepare().await?;
    site.source = Source::Kubernetes {
        kubeconfig: api.kubeconfig(&site.dir())?,
        namespace: "istio-system".to_owned(),
    };
    Ok(site)
}

/// No warning and no Event, and that collection was really listed.
fn is_quiet(site: &Site, api: &FakeApi, late: &str) -> Result<()> {
    let log = fs::read_to_string(site.agent_log())?;
    let alarm = log
        .lines()
        .find(|line| line.contains("WARN") || line.contains("ERROR"));
    ensure!(alarm.is_none(), "{alarm:?} in\n{log}");
    let asked = api.asked();
    ensure!(
        asked.iter().any(|own| own.target.contains(late)),
        "{late} are not listed: {asked:#?}"
    );
    let event = asked.iter().find(|own| own.target.contains("/events"));
    ensure!(event.is_none(), "an Event was written: {event:?}");
    Ok(())
}

/// The walkthrough's objects, all of them good.
fn fill(api: &FakeApi, site: &Site) -> Result<()> {
    api.put("gateways", &gateway("aliyun-com", ""))?;
    for (name, host, rules) in [("a", "a.aliyun.com", HELLO), ("b", "b.aliyun.com", HTTPBIN)] {
        let text = virtual_service(name, host, rules).replace(
            &format!("{{name: {name}}}"),
            &format!("{{name: {name}, namespace: default}}"),
        );
        api.put("virtualservices", &text)?;
    }
    for (name, host, number, port) in [
        ("welcome", "welcome.local", 80, site.welcome),
        ("httpbin", "httpbin.default.svc.cluster.local", 8000, site.httpbin),
    ] {
        let text = entry(name, host, number, port).replace(
            &format!("{{name: {name}}}"),
            &format!("{{name: {name}, namespace: default}}"),
        );
        api.put("serviceentries", &text)?;
    }
    let leaf = Authority::new("CA")?.leaf(&["*.aliyun.com"])?;
    api.put("secrets", &stored("aliyun-com", &leaf))
}

/// A Secret as the API server keeps it.
fn stored(name: &str, leaf: &Leaf) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: istio-system}}\n\
         type: kubernetes.io/tls\ndata: {{tls.crt: {}, tls.key: {}}}\n",
        STANDARD.encode(&leaf.certificate),
        STANDARD.encode(&leaf.key)
    )
}

async fn answered(site: &Site, host: &str, path: &str) -> Result<()> {
    let attempt = || async {
        let tls = Tls::new(Version::H2, None)?;
        let (answer, _) = client::fetch(site.https, host, path, &tls).await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    };
    eventually(&format!("{host}{path}"), SOON, attempt)
        .await
        .with_context(|| fs::read_to_string(site.agent_log()).unwrap_or_default())
}
