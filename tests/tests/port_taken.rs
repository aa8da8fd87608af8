//! Another program has the port of a listener: the real Envoy does not retry by itself, but still serves once the port
//! is free. No object is blamed for it.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::flavour::sotw;
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};

const SOON: Duration = Duration::from_secs(15);
/// It is tried after 1, 2, 4 and 8 seconds.
const RETRIED: Duration = Duration::from_secs(30);
const HOST: &str = "a.test";

/// The listener is refused, its objects are named, and none is held back.
async fn is_refused(site: &Site) -> Result<()> {
    let status = site.status().await?;
    let refused = status["proxyRefusals"].as_array().context("no refusals")?;
    let named = refused.iter().filter(|own| own["name"] == "gateway-443");
    let reasons: Vec<_> = named.filter_map(|own| own["reason"].as_str()).collect();
    ensure!(
        reasons.iter().any(|reason| reason.contains("cannot bind")),
        "{refused:?}"
    );
    let findings = status["refusals"].as_array().context("no findings")?;
    let of_proxies: Vec<_> = findings
        .iter()
        .filter(|finding| finding["code"] == "refused-by-proxy")
        .filter_map(|finding| finding["message"].as_str())
        .collect();
    ensure!(
        !of_proxies.is_empty() && of_proxies.iter().all(|message| !message.starts_with("with it")),
        "{of_proxies:?}"
    );
    Ok(())
}

async fn heals(edit: fn(&str) -> String) -> Result<()> {
    let mut site = Site::prepare().await?;
    let other = TcpListener::bind(("127.0.0.1", site.https))?;
    let app = echo::start("app").await?;
    Authority::new("CA")?
        .leaf(&[HOST])?
        .write(&site.dir().join("edge"))?;
    let servers = plain_server(80, HOST) + &tls_server(HOST, "mode: SIMPLE, credentialName: edge");
    let route = "  - route: [{destination: {host: app.test, port: {number: 80}}}]\n";
    let objects = sealgate_tests::manifests::entry("app", "app.test", 80, app)
        + "---\n"
        + &gateway_of("istio-system", "edge", &servers)
        + &routes_of("istio-system", "a", ("edge", HOST), route);
    site.write("objects.yaml", &objects)?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| edit(&bootstrap)).await?;
    eventually("it is refused", SOON, || is_refused(&site)).await?;
    let tls = Tls::new(Version::H1, None)?;
    let plain = || async {
        let answer = fetch_plain(site.http, HOST, "/").await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    };
    eventually("the other port serves", SOON, plain).await?;
    // Also after it was tried again.
    tokio::time::sleep(Duration::from_secs(4)).await;
    eventually("it is still refused", SOON, || is_refused(&site)).await?;
    plain().await?;

    drop(other);
    let secure = || async {
        let (answer, _) = fetch(site.https, HOST, "/", &tls).await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    };
    eventually("the port serves once it is free", RETRIED, secure).await?;
    let is_well = || async {
        let status = site.status().await?;
        ensure!(
            status["proxyRefusals"].as_array().is_some_and(Vec::is_empty),
            "{status}"
        );
        Ok(())
    };
    eventually("nothing is refused any more", SOON, is_well).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_was_taken_serves_once_it_is_free() -> Result<()> {
    heals(str::to_owned).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_was_taken_serves_once_it_is_free_on_a_stream_of_the_other_kind() -> Result<()> {
    heals(sotw).await
}
