//! The agent under its own ServiceAccount, with the API server's RBAC on: [`Cluster`] gives it exactly the permissions
//! in `envoy/kubernetes/rbac.yaml`; here, some of them are removed.

use std::fs;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::cluster::{Cluster, SOON, credential, rights, watch};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{Chain, by_hand};
use sealgate_tests::kube::{Access, ControlPlane};
use sealgate_tests::manifests::{HELLO, server};
use sealgate_tests::pki::Leaf;

const ALL_SECRETS: &str = "    resources: [secrets]\n    verbs: [get, list, watch]\n";

/// Only some Secrets, by their names.
fn only(names: &str) -> String {
    format!("    resources: [secrets]\n    verbs: [get, list, watch]\n    resourceNames: [{names}]\n")
}

async fn refused<T: std::fmt::Debug>(what: &str, answer: kube::Result<T>) -> Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(()),
        other => anyhow::bail!("{what}: {other:?}"),
    }
}

async fn secrets(access: &Access, namespace: &str) -> Result<Api<Secret>> {
    Ok(Api::namespaced(access.client().await?, namespace))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_are_documented_are_enough_and_no_more() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let cluster = Cluster::start(plane, &[]).await?;
    let elsewhere = plane.namespace("elsewhere").await?;
    elsewhere
        .apply(&cluster.authority.leaf(&["a.example"])?.secret("aliyun-com"))
        .await?;
    cluster.upstreams().await?;
    cluster.gateway("aliyun-com", "").await?;
    cluster.virtual_service("a", "a.aliyun.com", HELLO).await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    cluster.answered("a.aliyun.com", "/hello", 200).await?;
    cluster
        .until("all is followed", |status| status["source"]["up"] == true)
        .await?;

    let foreign = secrets(&cluster.access, &elsewhere.namespace).await?;
    refused("another namespace's Secret", foreign.get("aliyun-com").await).await?;
    let everywhere: Api<Secret> = Api::all(cluster.access.client().await?);
    refused("all Secrets", everywhere.list(&ListParams::default()).await).await?;
    let own = secrets(&cluster.access, &cluster.objects.namespace).await?;
    refused("deletion", own.delete("aliyun-com", &Default::default()).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_can_be_allowed_by_their_names() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::prepare(plane, &["--secret-watch=name"]).await?;
    let namespace = cluster.objects.namespace.clone();
    let narrow = rights(&namespace).replace(ALL_SECRETS, &only("aliyun-com"));
    cluster.objects.apply(&narrow).await?;
    cluster
        .gateway("aliyun-com", &server("other.example", "SIMPLE", "other"))
        .await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    let other = cluster.rotate("other", &["other.example"]).await?;
    cluster.site.start_agent().await?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;

    let own = secrets(&cluster.access, &namespace).await?;
    refused("a Secret that is not named", own.get("other").await).await?;
    refused("all of them", own.list(&ListParams::default()).await).await?;
    let status = cluster
        .until("the missing right is said", |status| {
            watch(status, &format!("Secret {namespace}/other")).is_some_and(|(state, _)| state == "failed")
        })
        .await?;
    let (_, message) = watch(&status, &format!("Secret {namespace}/other")).unwrap_or_default();
    for word in ["cannot list", "secrets", &namespace, "system:serviceaccount:"] {
        ensure!(message.contains(word), "{message}");
    }
    let rotated = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &rotated).await?;

    cluster.objects.apply(&rights(&namespace)).await?;
    cluster.shown("other.example", &other).await?;
    cluster
        .until("all is followed", |status| status["source"]["up"] == true)
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_is_one_message_and_the_rest_works() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::prepare(plane, &[]).await?;
    let namespace = cluster.objects.namespace.clone();
    let all = rights(&namespace);
    cluster
        .objects
        .apply(&all.replace("serviceentries,", "nothing,"))
        .await?;
    cluster.gateway("aliyun-com", "").await?;
    let leaf = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.upstreams().await?;
    cluster.virtual_service("a", "a.aliyun.com", HELLO).await?;
    cluster.site.start_agent().await?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    cluster.shown("a.aliyun.com", &leaf).await?;
    let status = cluster.site.status().await?;
    let (state, message) = watch(&status, "ServiceEntry").unwrap_or_default();
    ensure!(state == "failed" && status["source"]["up"] == false, "{status}");
    for word in [
        "cannot list",
        "serviceentries",
        "networking.istio.io",
        "cluster scope",
    ] {
        ensure!(message.contains(word), "{message}");
    }
    // It is tried again meanwhile, and said once.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let log = fs::read_to_string(cluster.site.agent_log())?;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("cannot list")).collect();
    ensure!(lines.len() == 1, "{lines:#?}");
    cluster.objects.apply(&all).await?;
    cluster.answered("a.aliyun.com", "/hello", 200).await?;
    cluster
        .until("all is followed", |status| status["source"]["up"] == true)
        .await
        .map(drop)
}

/// What is left of the documented rights without the ClusterRole.
fn role_alone(rights: &str) -> String {
    let documents = rights.split("\n---\n");
    let own = documents.filter(|document| !document.contains("kind: ClusterRole"));
    own.collect::<Vec<_>>().join("\n---\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_secrets_alone_the_right_to_secrets_is_enough() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::secrets_alone(plane, role_alone).await?;
    let leaf = cluster.rotate("edge", &["a.example"]).await?;
    cluster.site.start_agent().await?;
    let status = cluster.site.status().await?;
    ensure!(status["source"]["up"] == true, "{status}");
    ensure!(watch(&status, "Gateway").is_none(), "{status}");
    let chains = [Chain {
        host: None,
        api: "GRPC",
        certificates: &["sds://edge"],
        trust: None,
    }];
    cluster
        .site
        .start_envoy(|bootstrap, site| by_hand(&bootstrap, site.https, &chains))
        .await?;
    shown_by_hand(&cluster, &leaf).await?;
    let rotated = cluster.rotate("edge", &["a.example"]).await?;
    shown_by_hand(&cluster, &rotated).await
}

/// A listener that is written by hand speaks HTTP/1.1.
async fn shown_by_hand(cluster: &Cluster, leaf: &Leaf) -> Result<()> {
    let attempt = || async {
        let tls = Tls::new(Version::H1, None)?;
        let open = Connection::open(cluster.site.https, "a.example", &tls).await?;
        ensure!(open.leaf == leaf.der, "another certificate is shown");
        Ok(())
    };
    eventually("the certificate is shown", SOON, attempt).await
}

/// More Secrets than are watched by name.
const MANY: usize = 105;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_the_namespace_each_is_watched_by_name() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::prepare(plane, &[]).await?;
    let namespace = cluster.objects.namespace.clone();
    let (mut servers, mut names) = (String::new(), "aliyun-com".to_owned());
    for at in 0..MANY {
        servers += &server(&format!("s{at}.example"), "SIMPLE", &format!("s{at}"));
        names += &format!(", s{at}");
    }
    cluster
        .objects
        .apply(&rights(&namespace).replace(ALL_SECRETS, &only(&names)))
        .await?;
    cluster.gateway("aliyun-com", &servers).await?;
    cluster.rotate("s0", &["s0.example"]).await?;
    cluster.site.start_agent().await?;
    let last = format!("s{}", MANY - 1);
    let leaf = cluster.rotate(&last, &["last.example"]).await?;
    cluster
        .until("the last one is read", |status| {
            credential(status, &last)["serial"] == leaf.serial.as_str()
        })
        .await?;
    cluster
        .site
        .agent_says("no permission to list Secrets here")
        .await
}

/// More than are read at one time.
const UNREADABLE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_that_may_not_be_read_hold_up_no_other() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let mut cluster = Cluster::prepare(plane, &["--secret-watch=namespace"]).await?;
    let namespace = cluster.objects.namespace.clone();
    let split = "    resources: [secrets]\n    verbs: [list, watch]\n  - apiGroups: [\"\"]\n    resources: [secrets]\n    \
                 verbs: [get]\n    resourceNames: [z]\n";
    cluster
        .objects
        .apply(&rights(&namespace).replace(ALL_SECRETS, split))
        .await?;
    let mut servers = server("z.example", "SIMPLE", "z");
    for at in 0..UNREADABLE {
        cluster
            .rotate(&format!("s{at}"), &[&format!("s{at}.example")])
            .await?;
        servers += &server(&format!("s{at}.example"), "SIMPLE", &format!("s{at}"));
    }
    cluster.gateway("s0", &servers).await?;
    cluster.site.start_agent().await?;
    let leaf = cluster.rotate("z", &["z.example"]).await?;
    let status = cluster
        .until("the readable one is read", |status| {
            credential(status, "z")["serial"] == leaf.serial.as_str()
        })
        .await?;
    let (state, message) = watch(&status, &format!("reading Secret {namespace}/s")).unwrap_or_default();
    ensure!(state == "failed" && message.contains("cannot get"), "{status}");
    Ok(())
}
