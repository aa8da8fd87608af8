//! The control plane of the other Kubernetes tests works as they expect.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use sealgate_tests::eventually;
use sealgate_tests::kube::{ControlPlane, Objects, Part};

const SOON: Duration = Duration::from_secs(10);

fn secret(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\nstringData: {{ a: {value} }}\n")
}

fn secrets(objects: &Objects) -> Api<Secret> {
    Api::namespaced(objects.client.clone(), &objects.namespace)
}

/// The names that a raw watch tells, until there are as many; the list's version is where it starts.
async fn watched(api: &Api<Secret>, version: &str, count: usize) -> Result<Vec<String>> {
    let stream = api.watch(&WatchParams::default().timeout(20), version).await?;
    let mut stream = std::pin::pin!(stream);
    let mut told = Vec::new();
    while told.len() < count {
        let event = tokio::time::timeout(SOON, stream.try_next())
            .await
            .context("the watch is silent")??;
        match event.context("the watch ended")? {
            WatchEvent::Added(object) => {
                told.push(format!("added {}", object.metadata.name.unwrap_or_default()))
            }
            WatchEvent::Modified(object) => {
                told.push(format!("modified {}", object.metadata.name.unwrap_or_default()));
            }
            WatchEvent::Deleted(object) => {
                told.push(format!("deleted {}", object.metadata.name.unwrap_or_default()));
            }
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => bail!("{} {}", status.code, status.reason),
        }
    }
    Ok(told)
}

async fn version(api: &Api<Secret>) -> Result<String> {
    let list = api.list(&ListParams::default()).await?;
    list.metadata.resource_version.context("a list without version")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_outlive_the_processes() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let mebibytes = |part| plane.resident(part).map(|bytes| bytes >> 20);
    let _ = writeln!(
        std::io::stderr(),
        "ready after {:?}; apiserver {} MiB, etcd {} MiB",
        plane.ready_after,
        mebibytes(Part::Apiserver)?,
        mebibytes(Part::Etcd)?,
    );
    let objects = plane.namespace("restart").await?;
    let api = secrets(&objects);
    let before = version(&api).await?;
    objects.create(&secret("a", "one")).await?;
    objects.replace(&secret("a", "two")).await?;
    objects.create(&secret("b", "one")).await?;
    objects.delete(&secret("b", "one")).await?;
    let told = watched(&api, &before, 4).await?;
    assert_eq!(told, ["added a", "modified a", "added b", "deleted b"]);

    for part in [Part::Apiserver, Part::Etcd] {
        plane.kill(part)?;
        let answer = tokio::time::timeout(Duration::from_secs(1), api.get("a")).await;
        ensure!(!matches!(answer, Ok(Ok(_))), "answered without {part:?}");
        let took = plane.start_again(part).await?;
        let _ = writeln!(std::io::stderr(), "{part:?} again after {took:?}");
        let read = || async { Ok(api.get("a").await?) };
        let found = eventually("the object is there again", SOON, read).await?;
        let data = found.data.context("a Secret without data")?;
        assert_eq!(data["a"].0, b"two");
    }
    plane.stop(Part::Apiserver)?;
    plane.stop(Part::Etcd)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_can_be_forgotten() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let objects = plane.namespace("compaction").await?;
    let api = secrets(&objects);
    objects.create(&secret("a", "one")).await?;
    let old = version(&api).await?;
    objects.delete(&secret("a", "one")).await?;
    assert_eq!(watched(&api, &old, 1).await?, ["deleted a"]);

    plane.compact().await?;
    plane.kill(Part::Apiserver)?;
    plane.start_again(Part::Apiserver).await?;
    let error = watched(&secrets(&objects), &old, 1)
        .await
        .err()
        .context("the deletion is still known")?;
    ensure!(format!("{error:#}").contains("410"), "{error:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_silent_and_goes_on() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let objects = plane.namespace("freeze").await?;
    let api = secrets(&objects);
    objects.create(&secret("a", "one")).await?;
    plane.freeze(Part::Apiserver)?;
    let silent = tokio::time::timeout(Duration::from_secs(1), api.get("a")).await;
    ensure!(silent.is_err(), "a frozen server answers");
    plane.thaw(Part::Apiserver)?;
    let read = || async { Ok(tokio::time::timeout(SOON, api.get("a")).await??) };
    eventually("it answers again", SOON, read).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_with_its_lifetime() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let objects = plane.namespace("token").await?;
    let access = plane.service_account(&objects.namespace, "reader").await?;
    let refused = |code| {
        let (access, namespace) = (access.clone(), objects.namespace.clone());
        move || {
            let (access, namespace) = (access.clone(), namespace.clone());
            async move {
                let api: Api<Secret> = Api::namespaced(access.client().await?, &namespace);
                match api.get("a").await {
                    Err(kube::Error::Api(status)) if status.code == code => Ok(()),
                    other => bail!("{:?}", other.map(drop)),
                }
            }
        }
    };
    eventually("known, and without rights", SOON, refused(403)).await?;
    let short = plane
        .short_token(&objects.namespace, "reader", Duration::from_secs(4))
        .await?;
    std::fs::write(&access.token_file, short)?;
    eventually("known by the short token", Duration::from_secs(3), refused(403)).await?;
    // The API server holds what it believed for ten seconds.
    eventually("the short token has ended", Duration::from_secs(20), refused(401)).await
}
