//! What `kubectl describe` shows for a Secret that was rejected and then became valid.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use sealgate_tests::cluster::{Cluster, SOON, credential};
use sealgate_tests::eventually;
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::pki::Leaf;

const STORM: usize = 50;

/// The Events about an object, as `kubectl describe` finds them.
async fn events(cluster: &Cluster, uid: &str) -> Result<Vec<Event>> {
    let api: Api<Event> = Api::namespaced(cluster.objects.client.clone(), &cluster.objects.namespace);
    let fields = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
    Ok(api.list(&fields).await?.items)
}

fn of_reason<'a>(events: &'a [Event], reason: &str) -> Vec<&'a Event> {
    events
        .iter()
        .filter(|event| event.reason.as_deref() == Some(reason))
        .collect()
}

/// How often it was seen, by its series.
fn count(event: &Event) -> i32 {
    event.series.as_ref().and_then(|series| series.count).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_refusals_is_one_event_and_a_recovery_another() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let cluster = Cluster::start(plane, &[]).await?;
    cluster.gateway("aliyun-com", "").await?;
    let good = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &good).await?;
    let applied = cluster.objects.get(&good.secret("aliyun-com")).await?;
    let uid = applied
        .first()
        .and_then(|secret| secret.metadata.uid.clone())
        .context("no uid")?;

    for at in 0..STORM {
        let other = cluster.authority.leaf(&["*.aliyun.com"])?;
        let torn = Leaf {
            key: good.key.clone(),
            ..other
        };
        cluster.objects.apply(&torn.secret("aliyun-com")).await?;
        if at == 0 {
            cluster
                .until("it is refused", |status| {
                    credential(status, "aliyun-com")["state"] == "refused"
                })
                .await?;
        }
    }
    let refusal = || async {
        let events = events(&cluster, &uid).await?;
        let refusals = of_reason(&events, "KeyMismatch");
        ensure!(refusals.len() == 1, "{events:#?}");
        refusals.first().cloned().cloned().context("none")
    };
    let refused = eventually("one Event says it", SOON, refusal).await?;
    ensure!(refused.type_.as_deref() == Some("Warning"), "{refused:?}");
    ensure!(
        refused.reporting_component.as_deref() == Some("sealgate")
            && refused.involved_object.name.as_deref() == Some("aliyun-com")
            && refused.involved_object.kind.as_deref() == Some("Secret"),
        "{refused:?}"
    );
    cluster.shown("a.aliyun.com", &good).await?;

    cluster.objects.apply(&good.secret("aliyun-com")).await?;
    let recovery = || async {
        let events = events(&cluster, &uid).await?;
        ensure!(of_reason(&events, "Accepted").len() == 1, "{events:#?}");
        Ok(())
    };
    eventually("one Event says that it is good again", SOON, recovery).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let events = events(&cluster, &uid).await?;
    ensure!(events.len() == 2, "{events:#?}");
    let times = events.iter().map(count).max().unwrap_or_default();
    ensure!(usize::try_from(times)? <= STORM, "{events:#?}");
    Ok(())
}
