//! Failures around the API server: connections are cut, hang or are refused, etcd restarts, and a token expires.

use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::cluster::{Cluster, SOON, credential, watch};
use sealgate_tests::eventually;
use sealgate_tests::kube::{ControlPlane, Part};
use sealgate_tests::manifests::HELLO;
use sealgate_tests::site::Source;
use sealgate_tests::wire::{Mood, Wire};
use serde_json::Value;

fn is_up(status: &Value) -> bool {
    status["source"]["up"] == true
}

/// A gateway whose agent reaches the API server through a wire.
async fn wired(plane: &ControlPlane, flags: &[&str]) -> Result<(Cluster, Wire)> {
    let mut cluster = Cluster::prepare(plane, flags).await?;
    let wire = Wire::to(cluster.access.port()?).await?;
    cluster.site.source = Source::Kubernetes {
        kubeconfig: cluster.access.through(wire.port)?.kubeconfig,
        namespace: cluster.objects.namespace.clone(),
    };
    cluster.gateway("aliyun-com", "").await?;
    cluster.site.start_agent().await?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    Ok((cluster, wire))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_are_begun_anew_and_the_status_says_so() -> Result<()> {
    for how in ["name", "namespace"] {
        let flags = format!("--secret-watch={how}");
        let (cluster, wire) = wired(ControlPlane::shared().await?, &[&flags]).await?;
        let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
        cluster.shown("a.aliyun.com", &leaf).await?;
        for _ in 0..5 {
            wire.cut();
            let next = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
            cluster.shown("a.aliyun.com", &next).await?;
        }
        // Refused for a while; nothing changes meanwhile or afterwards, and still it is known that all is well.
        wire.set(Mood::Refusing);
        cluster
            .until("the failure is said", |status| !is_up(status))
            .await?;
        wire.set(Mood::Open);
        cluster.until("all is followed again", is_up).await?;
        // A change that was made while nobody was there.
        wire.set(Mood::Refusing);
        let last = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
        cluster.virtual_service("late", "a.aliyun.com", HELLO).await?;
        wire.set(Mood::Open);
        cluster.shown("a.aliyun.com", &last).await?;
        // It is routed, though its destination is not there.
        cluster.answered("a.aliyun.com", "/hello", 503).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_watch_is_given_up() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    tokio::try_join!(silence(plane, "name"), silence(plane, "namespace")).map(drop)
}

async fn silence(plane: &ControlPlane, how: &str) -> Result<()> {
    let flags = format!("--secret-watch={how}");
    let (cluster, wire) = wired(plane, &[&flags, "--watch-timeout=1"]).await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    wire.mute();
    let next = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &next).await?;
    cluster.until("all is followed", is_up).await?;

    // New connections are as silent as the old ones.
    wire.set(Mood::Silent);
    let last = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    let status = cluster
        .until("the silence is said", |status| !is_up(status))
        .await?;
    ensure!(
        credential(&status, "aliyun-com")["serial"] == next.serial.as_str(),
        "{status}"
    );
    cluster.shown("a.aliyun.com", &next).await?;
    wire.set(Mood::Open);
    cluster.shown("a.aliyun.com", &last).await?;
    cluster.until("all is followed again", is_up).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_restarts_and_a_stopped_server_holds_up_nobody() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let cluster = Cluster::start(&plane, &["--watch-timeout=1"]).await?;
    cluster.gateway("aliyun-com", "").await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;

    plane.kill(Part::Etcd)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.shown("a.aliyun.com", &leaf).await?;
    plane.start_again(Part::Etcd).await?;
    let write = || cluster.rotate("aliyun-com", &["*.aliyun.com"]);
    let next = eventually("etcd takes the next one", SOON, write).await?;
    cluster.shown("a.aliyun.com", &next).await?;
    cluster.until("all is followed", is_up).await?;

    // Frozen: every connection stays, and nothing comes.
    plane.freeze(Part::Apiserver)?;
    cluster
        .until("the silence is said", |status| !is_up(status))
        .await?;
    cluster.shown("a.aliyun.com", &next).await?;
    plane.thaw(Part::Apiserver)?;
    let write = || cluster.rotate("aliyun-com", &["*.aliyun.com"]);
    let last = eventually("the API server takes the next one", SOON, write).await?;
    cluster.shown("a.aliyun.com", &last).await?;
    cluster.until("all is followed", is_up).await.map(drop)
}

/// The library reads a token file again after 50 s.
const REREAD: Duration = Duration::from_secs(75);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ended_is_read_again_from_its_file() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::prepare(plane, &["--watch-timeout=1"]).await?;
    let namespace = cluster.objects.namespace.clone();
    let long = std::fs::read_to_string(&cluster.access.token_file)?;
    let short = plane
        .short_token(&namespace, "sealgate", Duration::from_secs(5))
        .await?;
    std::fs::write(&cluster.access.token_file, short)?;
    cluster.gateway("aliyun-com", "").await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.site.start_agent().await?;
    let begin = tokio::time::Instant::now();
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    let is_said = |status: &Value| {
        let own = watch(status, &format!("Secret {namespace}/aliyun-com"));
        own.is_some_and(|(state, message)| state == "failed" && message.contains("Unauthorized"))
    };
    cluster.until("the end of the token is said", is_said).await?;
    let next = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;

    std::fs::write(&cluster.access.token_file, long)?;
    let attempt = || async {
        let status = cluster.site.status().await?;
        let serial = &credential(&status, "aliyun-com")["serial"];
        ensure!(is_up(&status) && *serial == next.serial.as_str(), "{status}");
        Ok(())
    };
    eventually("it goes on with the new token", REREAD - begin.elapsed(), attempt).await?;
    cluster.shown("a.aliyun.com", &next).await
}
