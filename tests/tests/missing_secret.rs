//! A missing Secret: only its server is affected, and only the Secret is needed to fix it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{gateway, server};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(8);

async fn shows(site: &Site, host: &str, leaf: &Leaf) -> Result<()> {
    let tls = Tls::new(Version::H2, None)?;
    let open = Connection::open(site.https, host, &tls).await?;
    ensure!(open.leaf == leaf.der, "another certificate is shown");
    Ok(())
}

/// How often the listener was changed since it was made.
async fn listener_updates(site: &Site) -> Result<u64> {
    let stats = site
        .envoy_page("/stats?filter=listener_manager.listener_(modified|in_place_updated)")
        .await?;
    let counts = stats
        .lines()
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

/// Waits until the only missing credential is this one.
async fn says(site: &Site, missing: &str) -> Result<()> {
    let attempt = || async {
        let status = site.status().await?;
        let refusals = status["refusals"].to_string();
        let named = |name: &str| refusals.contains(&format!("no valid Secret {name} yet"));
        ensure!(
            named(missing) && (missing.ends_with("late") != named("istio-system/other")),
            "{refusals}"
        );
        Ok(())
    };
    eventually(missing, SOON, attempt).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_not_there_concerns_its_server_alone() -> Result<()> {
    let mut site = Site::start().await?;
    let authority = Authority::new("CA")?;
    let (present, late) = (
        authority.leaf(&["*.aliyun.com"])?,
        authority.leaf(&["*.example.org"])?,
    );
    present.write(&site.dir().join("present"))?;
    let start = Instant::now();
    site.write(
        "gateway.yaml",
        &gateway("present", &server("*.example.org", "SIMPLE", "late")),
    )?;
    eventually("the present one is shown", SOON, || {
        shows(&site, "a.aliyun.com", &present)
    })
    .await?;
    ensure!(
        start.elapsed() < Duration::from_secs(5),
        "the listener waited for the missing one"
    );
    let refused = shows(&site, "www.example.org", &late).await;
    ensure!(refused.is_err(), "a connection without a certificate was taken");

    // Whoever has a certificate keeps it until the other one is there.
    let [changed, other] =
        ["present", "other"].map(|name| gateway(name, &server("*.example.org", "SIMPLE", "late")));
    site.write("gateway.yaml", &other)?;
    says(&site, "istio-system/other").await?;
    for _ in 0..20 {
        shows(&site, "a.aliyun.com", &present)
            .await
            .context("another credentialName, without its Secret")?;
    }
    site.write("gateway.yaml", &changed)?;
    says(&site, "istio-system/late").await?;

    let before = listener_updates(&site).await?;
    late.write(&site.dir().join("late"))?;
    eventually("the late one is shown", SOON, || {
        shows(&site, "www.example.org", &late)
    })
    .await?;
    ensure!(
        listener_updates(&site).await? == before,
        "a Secret that came changed the listener"
    );

    fs::remove_dir_all(site.dir().join("late"))?;
    site.kill_agent();
    site.start_agent().await?;
    let reconnected = || async {
        let status = site.status().await?;
        let proxy = status["proxies"].get(0).context("no proxy yet")?;
        ensure!(
            proxy["types"].as_array().is_some_and(|types| types.len() >= 4),
            "{proxy}"
        );
        Ok(())
    };
    eventually("Envoy finds the new agent", SOON, reconnected).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    shows(&site, "www.example.org", &late)
        .await
        .context("held by the proxy, though no agent knows it")?;
    let renewed = authority.leaf(&["*.example.org"])?;
    renewed.write(&site.dir().join("late"))?;
    eventually("the renewed one is shown", SOON, || {
        shows(&site, "www.example.org", &renewed)
    })
    .await?;
    ensure!(
        listener_updates(&site).await? == before,
        "the listener was changed"
    );
    Ok(())
}
