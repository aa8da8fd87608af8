//! An Envoy whose agent ends during Envoy's start accepts no request before it has everything. Real agent, real Envoys.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::relay::Relay;
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(20);
/// Envoy waits for the configuration of a filter for 15 s unless it is told to wait for ever.
const AWAY: Duration = Duration::from_secs(22);
/// After so many hundredths of what the agent has to say.
const CUTS: [u64; 7] = [30, 45, 60, 70, 80, 90, 95];

/// Both ports answer as their objects say.
async fn answers(site: &Site, tls: &Tls) -> Result<()> {
    let plain = fetch_plain(site.http, "server.test", "/").await?;
    ensure!(plain.status == 299, "plain: {}", plain.status);
    let (secure, _) = fetch(site.https, "server.test", "/", tls).await?;
    ensure!(secure.status == 299, "secure: {}", secure.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_whose_agent_goes_away_waits_for_the_rest() -> Result<()> {
    let mut site = Site::prepare().await?;
    Authority::new("CA")?
        .leaf(&["server.test"])?
        .write(&site.dir().join("edge"))?;
    let servers = plain_server(80, "*") + &tls_server("server.test", "mode: SIMPLE, credentialName: edge");
    let rules = "  - directResponse: {status: 299}\n";
    let objects = gateway_of("istio-system", "edge", &servers)
        + &routes_of("istio-system", "all", ("edge", "server.test"), rules);
    site.write("objects.yaml", &objects)?;
    site.start_agent().await?;
    let tls = Tls::new(Version::H1, None)?;
    let folder = tempfile::tempdir()?;

    // How much that is.
    let start = async |node: String, limit: u64| {
        let path = folder.path().join(&node);
        let relay = Relay::start(&path, &site.socket(), limit)?;
        let (own, new) = (site.socket().display().to_string(), path.display().to_string());
        let site = &site;
        let envoy = async move {
            site.another_envoy(&node, |bootstrap| bootstrap.replace(&own, &new))
                .await
        };
        anyhow::Ok((relay, Box::pin(envoy)))
    };
    let (whole, envoy) = start("whole".to_owned(), u64::MAX).await?;
    let envoy = envoy.await?;
    eventually("it serves", SOON, || answers(&site, &tls)).await?;
    drop(envoy);

    let starts = CUTS.map(|cut| (cut, whole.said() * cut / 100));
    let starts = starts.map(|(cut, limit)| start(format!("cut-{cut}"), limit));
    let mut relays = Vec::new();
    let mut envoys = Vec::new();
    for started in join_all(starts).await {
        let (relay, envoy) = started?;
        relays.push(relay);
        envoys.push(envoy);
    }
    let mut all = Box::pin(try_join_all(envoys));
    let none = fetch_while_away(&site, &mut all).await;
    ensure!(none.is_ok(), "{none:?}");
    relays.iter().for_each(Relay::mend);
    let envoys = all.await.context("after the agent was back")?;
    ensure!(envoys.len() == CUTS.len());
    // They share the ports: whoever is asked answers right.
    for _ in 0..50 {
        answers(&site, &tls).await?;
    }
    Ok(())
}

/// Nobody listens for as long as the agent is away.
async fn fetch_while_away(site: &Site, envoys: &mut (impl Future + Unpin)) -> Result<()> {
    let asking = async {
        let end = tokio::time::Instant::now() + AWAY;
        while tokio::time::Instant::now() < end {
            if let Ok(answer) = fetch_plain(site.http, "server.test", "/").await {
                anyhow::bail!("somebody answers: {}", answer.status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    tokio::select! {
        asked = asking => asked,
        _ = envoys => anyhow::bail!("all of them are ready"),
    }
}
