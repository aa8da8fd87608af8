//! The real API server ends and comes back while a gateway serves.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::fetch_plain;
use sealgate_tests::cluster::{Cluster, credential};
use sealgate_tests::kube::{ControlPlane, Part};
use sealgate_tests::load::Load;
use sealgate_tests::manifests::{HELLO, HTTPBIN, server};
use sealgate_tests::pki::Leaf;
use sealgate_tests::site::Site;

const KILLS: usize = 20;

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn is_up(status: &serde_json::Value) -> bool {
    status["source"]["up"] == true
}

/// The two hosts of [`Load`], served.
async fn serve(cluster: &Cluster) -> Result<Leaf> {
    cluster.upstreams().await?;
    cluster.virtual_service("a", "a.aliyun.com", HELLO).await?;
    cluster.virtual_service("b", "b.aliyun.com", HTTPBIN).await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    cluster.answered("a.aliyun.com", "/hello", 200).await?;
    cluster.answered("b.aliyun.com", "/status/418", 418).await?;
    Ok(leaf)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_of_the_api_server_under_load() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let cluster = Cluster::start(&plane, &[]).await?;
    let mut servers = String::new();
    for at in 0..KILLS {
        cluster
            .rotate(&format!("s{at}"), &[&format!("s{at}.example")])
            .await?;
        servers += &server(&format!("s{at}.example"), "SIMPLE", &format!("s{at}"));
    }
    cluster.gateway("aliyun-com", &servers).await?;
    let leaf = serve(&cluster).await?;
    let load = Load::start(cluster.site.https, &leaf)?;
    let (begin, mut rotated) = (Instant::now(), Vec::new());
    for at in 0..KILLS {
        plane.kill(Part::Apiserver)?;
        if at == 0 {
            cluster
                .until("the outage is said", |status| !is_up(status))
                .await?;
            outage_is_said(&cluster.site).await?;
        }
        plane.start_again(Part::Apiserver).await?;
        let next = cluster.authority.leaf(&["*.aliyun.com"])?;
        load.allow(&next);
        cluster.objects.apply(&next.secret("aliyun-com")).await?;
        let host = format!("s{at}.example");
        let other = cluster.rotate(&format!("s{at}"), &[&host]).await?;
        rotated.push((host, other));
        if at + 1 == KILLS {
            rotated.push(("a.aliyun.com".to_owned(), next));
        }
    }
    say(&format!("{KILLS} outages in {:.1?}", begin.elapsed()));
    let back = Instant::now();
    for (host, leaf) in &rotated {
        cluster.shown(host, leaf).await?;
    }
    say(&format!("every rotation after {:.1?}", back.elapsed()));
    cluster.until("all is followed", is_up).await?;
    let totals = load.stop().await;
    say(&format!("{totals:?}"));
    ensure!(totals.failed == 0, "{totals:?}");
    ensure!(
        totals.requests > 1000 && totals.handshakes > 300,
        "no load: {totals:?}"
    );
    Ok(())
}

/// In the metrics, while the agent stays ready.
async fn outage_is_said(site: &Site) -> Result<()> {
    let metrics = fetch_plain(site.admin, "localhost", "/metrics").await?.body;
    ensure!(metrics.contains("sealgate_source_up 0"), "{metrics}");
    ensure!(
        metrics.contains("sealgate_source_watches{state=\"failed\"}"),
        "{metrics}"
    );
    let ready = fetch_plain(site.admin, "localhost", "/readyz").await?;
    ensure!(ready.status == 200, "{ready:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_nobody_watches_is_gone_afterwards() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let mut gateways = Vec::new();
    for how in ["name", "namespace"] {
        gateways.push(Doomed::start(&plane, how).await?);
    }
    plane.kill(Part::Apiserver)?;
    for own in &mut gateways {
        own.serves_a_new_proxy().await?;
    }
    // Nobody watches while this happens, and it is forgotten that it did.
    let paused: Vec<_> = gateways
        .iter()
        .map(|own| own.cluster.site.pause_agent())
        .collect::<Result<_>>()?;
    plane.start_again(Part::Apiserver).await?;
    for own in &gateways {
        own.ends().await?;
    }
    plane.compact().await?;
    plane.kill(Part::Apiserver)?;
    plane.start_again(Part::Apiserver).await?;
    drop(paused);
    for own in &gateways {
        own.is_gone().await?;
    }
    Ok(())
}

/// A gateway of which a Secret, a VirtualService and a Gateway will be deleted.
struct Doomed {
    cluster: Cluster,
    other: Leaf,
}

impl Doomed {
    async fn start(plane: &ControlPlane, how: &str) -> Result<Self> {
        let cluster = Cluster::start(plane, &[&format!("--secret-watch={how}")]).await?;
        cluster
            .gateway("aliyun-com", &server("other.example", "SIMPLE", "other"))
            .await?;
        let other = cluster.rotate("other", &["other.example"]).await?;
        serve(&cluster).await?;
        cluster.shown("other.example", &other).await?;
        second_gateway(&cluster, "third.example").await?;
        Ok(Self { cluster, other })
    }

    /// During the outage.
    async fn serves_a_new_proxy(&mut self) -> Result<()> {
        self.cluster
            .until("the outage is said", |status| !is_up(status))
            .await?;
        self.cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
        self.cluster.shown("other.example", &self.other).await?;
        self.cluster.answered("a.aliyun.com", "/hello", 200).await
    }

    async fn ends(&self) -> Result<()> {
        let istio = "networking.istio.io/v1";
        for (kind, api, name) in [
            ("Secret", "v1", "other"),
            ("VirtualService", istio, "b"),
            ("Gateway", istio, "third"),
        ] {
            let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}}}\n");
            self.cluster.objects.delete(&text).await?;
        }
        Ok(())
    }

    async fn is_gone(&self) -> Result<()> {
        let cluster = &self.cluster;
        cluster.answered("b.aliyun.com", "/status/418", 404).await?;
        let status = cluster
            .until("the deletions are known, and all is followed", |status| {
                // A watch is up a moment before what it listed has gone through.
                let gateways = status["gateways"].to_string();
                is_up(status)
                    && credential(status, "other")["reason"] == "deleted"
                    && !gateways.contains("third")
            })
            .await?;
        let held = credential(&status, "other");
        ensure!(held["state"] != "ready" && held["served"] == true, "{held}");
        cluster.shown("other.example", &self.other).await?;
        cluster.answered("a.aliyun.com", "/hello", 200).await
    }
}

async fn second_gateway(cluster: &Cluster, host: &str) -> Result<()> {
    let text = sealgate_tests::manifests::gateway("aliyun-com", "");
    let text = text
        .replace("name: gateway,", "name: third,")
        .replace("*.aliyun.com", host);
    cluster.objects.apply(&cluster.own(&text)).await?;
    cluster
        .until("the second Gateway is served", |status| {
            status["gateways"].to_string().contains("third")
        })
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_starts_during_an_outage_waits_and_serves_nobody() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let mut cluster = Cluster::prepare(&plane, &[]).await?;
    cluster.gateway("aliyun-com", "").await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    plane.kill(Part::Apiserver)?;
    cluster.site.spawn_agent()?;
    let status = cluster.until("it says what it lacks", |status| {
        status["source"]["watches"].to_string().contains("failed")
    });
    let status = status.await?;
    ensure!(status["synced"] == false && !is_up(&status), "{status}");
    let ready = fetch_plain(cluster.site.admin, "localhost", "/readyz").await?;
    ensure!(ready.status == 503, "{ready:?}");
    let refused = proxy_is_served(&cluster.site).await;
    ensure!(refused.is_err(), "a proxy is answered before the first list");
    plane.start_again(Part::Apiserver).await?;
    cluster
        .site
        .agent_ready()
        .await
        .context("the API server is back")?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    cluster.shown("a.aliyun.com", &leaf).await
}

/// The agent speaks HTTP/2 on its socket: whoever connects hears its settings at once.
async fn proxy_is_served(site: &Site) -> Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::UnixStream::connect(site.socket()).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    let mut answer = [0; 9];
    tokio::time::timeout(Duration::from_secs(1), stream.read_exact(&mut answer)).await??;
    Ok(())
}
