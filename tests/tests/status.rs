//! The agent's status of proxies is right: with real Envoys, of which one is stopped, one rejects, one is gone and one
//! connects later, `sealgate certs`, `/api/status` and the metrics say which is which; `page.rs` checks the same for
//! the page.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{self, Chain};
use sealgate_tests::manifests::gateway;
use sealgate_tests::pki::Authority;
use sealgate_tests::site::{Site, free_port};
use serde_json::Value;
use time::OffsetDateTime;

const HOST: &str = "www.aliyun.com";
const EDGE: &str = "istio-system/edge";
const SOON: Duration = Duration::from_secs(15);

/// A site with a Gateway whose certificate there is, and the agent.
async fn site(flags: &[&str]) -> Result<(Site, Authority)> {
    let mut site = Site::prepare().await?;
    site.flags = flags.iter().map(ToString::to_string).collect();
    let authority = Authority::new("CA")?;
    authority.leaf(&[HOST])?.write(&site.dir().join("edge"))?;
    site.write("site.yaml", &gateway("edge", ""))?;
    site.start_agent().await?;
    Ok((site, authority))
}

/// A credential, as `/api/status` has it.
async fn credential(site: &Site, name: &str) -> Result<Value> {
    let status = site.status().await?;
    let credentials = status["credentials"].as_array().context("credentials")?;
    let own = credentials.iter().find(|own| own["name"] == name);
    Ok(own.with_context(|| status.to_string())?.clone())
}

/// What each proxy has of the edge's certificate.
async fn states(site: &Site) -> Result<BTreeMap<String, String>> {
    let own = credential(site, EDGE).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let proxies = own["proxies"].as_array().context("proxies")?;
    Ok(proxies
        .iter()
        .map(|proxy| (text(&proxy["node"]), text(&proxy["state"])))
        .collect())
}

async fn is_in(site: &Site, expected: &[(&str, &str)]) -> Result<()> {
    let states = states(site).await?;
    let expected = expected
        .iter()
        .map(|(node, state)| (node.to_string(), state.to_string()));
    ensure!(states == expected.collect(), "{states:?}");
    Ok(())
}

/// An Envoy whose owner takes no certificate without a staple.
fn demanding(bootstrap: &str, port: u16) -> String {
    let chain = Chain {
        host: None,
        api: "DELTA_GRPC",
        certificates: &["kubernetes://edge"],
        trust: None,
    };
    let text = flavour::by_hand(bootstrap, port, &[chain]);
    text.replace(
        "common_tls_context:",
        "ocsp_staple_policy: MUST_STAPLE\n              common_tls_context:",
    )
}

fn line<'t>(text: &'t str, start: &str) -> Result<&'t str> {
    let line = text.lines().find(|line| line.trim_start().starts_with(start));
    line.with_context(|| format!("no `{start}` in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_says_who_is_behind_who_refused_and_who_is_gone() -> Result<()> {
    let (site, authority) = site(&[]).await?;
    let same = |bootstrap| bootstrap;
    let _current = site.another_envoy("current", same).await?;
    let behind = site.another_envoy("behind", same).await?;
    let gone = site.another_envoy("gone", same).await?;
    let three = [("behind", "current"), ("current", "current"), ("gone", "current")];
    eventually("all have it", SOON, || is_in(&site, &three)).await?;
    let port = free_port()?;
    let _refused = site
        .another_envoy("refused", |bootstrap| demanding(&bootstrap, port))
        .await?;
    let former = credential(&site, EDGE).await?["version"].clone();

    let paused = behind.pause()?;
    drop(gone);
    authority.leaf(&[HOST])?.write(&site.dir().join("edge"))?;
    let four = [
        ("behind", "behind"),
        ("current", "current"),
        ("gone", "gone"),
        ("refused", "refused"),
    ];
    eventually("each is in its state", SOON, || is_in(&site, &four)).await?;

    let own = credential(&site, EDGE).await?;
    ensure!(own["version"] != former, "it was not rotated");
    let proxies = &own["proxies"];
    ensure!(
        proxies[0]["version"] == former && proxies[2]["version"] == former,
        "{own}"
    );
    ensure!(proxies[1]["version"] == own["version"], "{own}");
    let why = proxies[3]["refused"].as_str().context("no reason")?;
    ensure!(why.contains("OCSP"), "{why}");
    said_by_certs(&site, former.as_str().context("a version")?)?;
    said_by_metrics(&site.metrics().await?)?;
    let status = site.status().await?;
    ensure!(status["proxyRefusals"][0]["node"] == "refused", "{status}");

    drop(paused);
    let caught_up = [four[1], four[2], four[3], ("behind", "current")];
    eventually("who stood still catches up", SOON, || is_in(&site, &caught_up)).await
}

fn said_by_certs(site: &Site, former: &str) -> Result<()> {
    let (code, text) = site.certs(&[])?;
    ensure!(code == Some(1), "{code:?}: {text}");
    ensure!(
        text.starts_with("refused rejects Secret istio-system/edge: "),
        "{text}"
    );
    for wanted in [
        "proxy         current current".to_owned(),
        format!("proxy         behind behind: it has version {former}"),
        format!("proxy         gone gone: it had version {former}"),
    ] {
        line(&text, &wanted)?;
    }
    let refused = line(&text, "proxy         refused refused: it has version none: ")?;
    ensure!(refused.contains("OCSP"), "{refused}");
    let (code, json) = site.certs(&["--json"])?;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(
        code == Some(1) && json["proxyRefusals"][0]["type"] == "Secret",
        "{json}"
    );
    Ok(())
}

fn said_by_metrics(metrics: &str) -> Result<()> {
    for state in ["current", "behind", "refused", "gone"] {
        let by_name =
            format!("sealgate_credential_proxies{{name=\"{EDGE}\",kind=\"keyPair\",state=\"{state}\"}} 1");
        line(metrics, &by_name)?;
        line(
            metrics,
            &format!("sealgate_proxy_state{{node=\"{state}\",state=\"{state}\"}} 1"),
        )?;
        line(
            metrics,
            &format!("sealgate_proxy_credentials{{node=\"{state}\",state=\"{state}\"}} 1"),
        )?;
    }
    line(
        metrics,
        "sealgate_proxy_refusals{node=\"refused\",type=\"Secret\",name=\"istio-system/edge\"} 1",
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_cannot_be_bound_is_said_everywhere() -> Result<()> {
    let mut site = Site::prepare().await?;
    let taken = TcpListener::bind(("127.0.0.1", site.http))?;
    let authority = Authority::new("CA")?;
    authority.leaf(&[HOST])?.write(&site.dir().join("edge"))?;
    site.write("site.yaml", &gateway("edge", ""))?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    let name = "gateway-80";
    eventually("the refusal is known", SOON, || async {
        let status = site.status().await?;
        let refusal = &status["proxyRefusals"][0];
        ensure!(
            refusal["type"] == "Listener" && refusal["node"] == "edge-1",
            "{status}"
        );
        ensure!(refusal["name"] == name, "{refusal}");
        let findings = status["refusals"].as_array().context("refusals")?;
        let found = findings
            .iter()
            .find(|finding| finding["code"] == "refused-by-proxy");
        let found = found.with_context(|| status.to_string())?;
        ensure!(found["severity"] == "error", "{found}");
        ensure!(found["object"] == "Gateway istio-system/gateway", "{found}");
        ensure!(status["proxies"][0]["state"] == "refused", "{status}");
        Ok(())
    })
    .await?;
    let (code, text) = site.certs(&[])?;
    ensure!(code == Some(1), "{code:?}: {text}");
    ensure!(
        text.starts_with(&format!("edge-1 rejects Listener {name}: ")) && text.contains("bind"),
        "{text}"
    );
    line(
        &site.metrics().await?,
        &format!("sealgate_proxy_refusals{{node=\"edge-1\",type=\"Listener\",name=\"{name}\"}} 1"),
    )?;

    // The machine's fault is over, and Envoy starts anew.
    drop(taken);
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("nothing is refused", SOON, || async {
        let (code, text) = site.certs(&[])?;
        ensure!(code == Some(0), "{code:?}: {text}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_later_takes_no_part_in_a_rotation() -> Result<()> {
    let (site, authority) = site(&[]).await?;
    let _first = site.another_envoy("first", |bootstrap| bootstrap).await?;
    eventually("it is there", SOON, || is_in(&site, &[("first", "current")])).await?;
    let former = credential(&site, EDGE).await?["version"].clone();
    authority.leaf(&[HOST])?.write(&site.dir().join("edge"))?;
    eventually("it is rotated", SOON, || async {
        let own = credential(&site, EDGE).await?;
        ensure!(own["version"] != former && own["rotationMs"].is_number(), "{own}");
        Ok(())
    })
    .await?;
    let took = credential(&site, EDGE).await?["rotationMs"].clone();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _later = site.another_envoy("later", |bootstrap| bootstrap).await?;
    let both = [("first", "current"), ("later", "current")];
    eventually("the later one is there", SOON, || is_in(&site, &both)).await?;
    let now = credential(&site, EDGE).await?["rotationMs"].clone();
    ensure!(now == took, "{now}, not {took}");
    Ok(())
}

/// The codes of the findings of a Secret.
async fn codes(site: &Site, secret: &str) -> Result<Vec<String>> {
    let status = site.status().await?;
    let findings = status["refusals"].as_array().context("refusals")?;
    let own = findings
        .iter()
        .filter(|finding| finding["object"] == format!("Secret istio-system/{secret}"));
    Ok(own
        .filter_map(|finding| Some(finding["code"].as_str()?.to_owned()))
        .collect())
}

async fn is_said(site: &Site, secret: &str, expected: &[&str]) -> Result<()> {
    let codes = codes(site, secret).await?;
    ensure!(codes == expected, "{codes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_come_of_age_and_expire_without_a_change() -> Result<()> {
    let (site, authority) = site(&["--refuse-expired"]).await?;
    let now = OffsetDateTime::now_utc();
    let short = authority.leaf_with(&["short.aliyun.com"], |params| {
        (params.not_before, params.not_after) = (now - Duration::from_secs(30), now + Duration::from_secs(5));
    })?;
    short.write(&site.dir().join("short"))?;
    let early = authority.leaf_with(&["early.aliyun.com"], |params| {
        params.not_before = now + Duration::from_secs(5);
    })?;
    early.write(&site.dir().join("early"))?;
    eventually("both are read", SOON, || async {
        is_said(&site, "early", &["not-yet-valid"]).await?;
        ensure!(
            credential(&site, "istio-system/early").await?["state"] == "refused",
            "early"
        );
        ensure!(
            credential(&site, "istio-system/short").await?["state"] == "ready",
            "short"
        );
        Ok(())
    })
    .await?;
    eventually("one is about to expire", SOON, || {
        is_said(&site, "short", &["expires-soon"])
    })
    .await?;
    let own = credential(&site, "istio-system/short").await?;
    ensure!(
        own["state"] == "ready" && own["warnings"][0] == "expires-soon",
        "{own}"
    );
    eventually("it has expired", SOON, || is_said(&site, "short", &["expired"])).await?;
    let own = credential(&site, "istio-system/short").await?;
    ensure!(own["state"] == "refused" && own["served"] == true, "{own}");
    let metrics = site.metrics().await?;
    let finding =
        "sealgate_findings{object=\"Secret istio-system/short\",code=\"expired\",severity=\"error\"} 1";
    line(&metrics, finding)?;
    eventually("the other one's time has come", SOON, || {
        is_said(&site, "early", &[])
    })
    .await?;
    let own = credential(&site, "istio-system/early").await?;
    ensure!(own["state"] == "ready" && own["served"] == true, "{own}");
    ensure!(
        OffsetDateTime::now_utc() < now + SOON,
        "it took longer than it may"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_secret_that_a_gateway_names_is_listed() -> Result<()> {
    let mut site = Site::prepare().await?;
    site.write("site.yaml", &gateway("nobody", ""))?;
    site.start_agent().await?;
    let own = credential(&site, "istio-system/nobody").await?;
    ensure!(
        own["state"] == "pending" && own["reason"] == "credential-not-ready",
        "{own}"
    );
    ensure!(own["served"] == false, "{own}");
    let (code, text) = site.certs(&[])?;
    ensure!(code == Some(1), "{text}");
    line(&text, "istio-system/nobody  pending (credential-not-ready)")?;
    Ok(())
}
