//! No byte of a key, and no token, in any output of the agent at the most verbose log level.

use std::fs;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use sealgate_tests::client::fetch_plain;
use sealgate_tests::cluster::{Cluster, credential};
use sealgate_tests::kube::{ControlPlane, Part};
use sealgate_tests::manifests::server;
use sealgate_tests::pki::Leaf;

/// As long as anything that could come about by chance is not.
const PIECE: usize = 24;

/// What may not be seen of a value: pieces of its lines as they are, of its base64, and of its lines as lists of bytes.
fn traces(value: &str) -> Vec<String> {
    let lines: Vec<&str> = value
        .lines()
        .filter(|line| line.len() >= PIECE && !line.starts_with("-----"))
        .collect();
    let encoded = STANDARD.encode(value);
    let in_base64 = encoded
        .as_bytes()
        .chunks_exact(PIECE)
        // Every key begins with the same words.
        .skip(2)
        .map(|piece| String::from_utf8_lossy(piece).into_owned());
    let as_list = lines.iter().map(|line| {
        let bytes: Vec<String> = line.bytes().take(PIECE).map(|byte| byte.to_string()).collect();
        bytes.join(", ")
    });
    let pieces = lines
        .iter()
        .flat_map(|line| line.as_bytes().chunks_exact(PIECE))
        .map(|piece| String::from_utf8_lossy(piece).into_owned());
    pieces.chain(in_base64).chain(as_list).collect()
}

/// A Secret of this type with arbitrary keys.
fn odd(name: &str, keys: &[(&str, &str)]) -> String {
    let values: Vec<String> = keys
        .iter()
        .map(|(key, value)| format!("{key}: {}", STANDARD.encode(value)))
        .collect();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: Opaque\ndata: {{{}}}\n",
        values.join(", ")
    )
}

/// Secrets that are good, refused and garbage, under names that the Gateway asks for; and the values of them all.
async fn material(cluster: &Cluster) -> Result<(String, Vec<String>)> {
    let leaf = |name: &str| cluster.authority.leaf(&[name]);
    let (one, two, three): (Leaf, Leaf, Leaf) =
        (leaf("one.example")?, leaf("two.example")?, leaf("three.example")?);
    let garbage = format!("garbage {}", two.key.replace('\n', " ").repeat(2));
    let unfinished = three.key.replace("-----END", "-----");
    let secrets = [
        odd("good", &[("tls.crt", &one.certificate), ("tls.key", &one.key)]),
        odd("generic", &[("cert", &two.certificate), ("key", &two.key)]),
        odd(
            "mismatch",
            &[("tls.crt", &one.certificate), ("tls.key", &two.key)],
        ),
        odd("garbage", &[("tls.crt", &garbage), ("tls.key", &garbage)]),
        odd(
            "unfinished",
            &[("tls.crt", &three.certificate), ("tls.key", &unfinished)],
        ),
        odd(
            "swapped",
            &[("tls.crt", &three.key), ("tls.key", &three.certificate)],
        ),
        odd("keys-as-ca", &[("ca.crt", &three.key)]),
    ];
    let mut servers = String::new();
    for (at, text) in secrets.iter().enumerate() {
        cluster.objects.apply(text).await?;
        let name = text
            .split("{name: ")
            .nth(1)
            .and_then(|rest| rest.split('}').next());
        servers += &server(&format!("h{at}.example"), "MUTUAL", name.unwrap_or_default());
    }
    let values = vec![one.key, two.key, three.key, garbage, unfinished];
    Ok((servers, values))
}

async fn everything_said(cluster: &Cluster) -> Result<Vec<(&'static str, String)>> {
    let page = |path: &'static str| async move {
        let answer = fetch_plain(cluster.site.admin, "localhost", path).await?;
        Ok::<_, anyhow::Error>((path, answer.body))
    };
    let events: Api<Event> = Api::namespaced(cluster.objects.client.clone(), &cluster.objects.namespace);
    let events = events.list(&ListParams::default()).await?.items;
    ensure!(!events.is_empty(), "nothing was reported");
    Ok(vec![
        ("log", fs::read_to_string(cluster.site.agent_log())?),
        ("Events", serde_json::to_string(&events)?),
        page("/metrics").await?,
        page("/api/status").await?,
        page("/").await?,
    ])
}

async fn says_nothing(plane: &mut ControlPlane, how: &str) -> Result<()> {
    let mut cluster = Cluster::prepare(plane, &[&format!("--secret-watch={how}")]).await?;
    cluster.site.log_level = "trace".to_owned();
    let (servers, mut secret) = material(&cluster).await?;
    cluster.gateway("aliyun-com", &servers).await?;
    cluster.site.start_agent().await?;
    cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
    let next = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &next).await?;
    cluster
        .until("the bad ones are refused", |status| {
            ["mismatch", "garbage", "unfinished", "swapped"]
                .iter()
                .all(|name| credential(status, name)["state"] == "refused")
        })
        .await?;
    // And all of it again, after an outage.
    plane.kill(Part::Apiserver)?;
    plane.start_again(Part::Apiserver).await?;
    let last = cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    cluster.shown("a.aliyun.com", &last).await?;
    secret.extend([
        next.key,
        last.key,
        fs::read_to_string(&cluster.access.token_file)?,
    ]);

    for (place, text) in everything_said(&cluster).await? {
        ensure!(text.len() > 100, "{place} is empty");
        for trace in secret.iter().flat_map(|value| traces(value)) {
            let at = text.find(&trace);
            ensure!(at.is_none(), "{how}, {place}, at {at:?}: {trace}");
        }
    }
    let log = fs::read_to_string(cluster.site.agent_log())?;
    ensure!(log.contains("TRACE"), "the log is not talkative");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said_at_trace() -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    for how in ["name", "namespace"] {
        says_nothing(&mut plane, how).await?;
    }
    Ok(())
}

#[test]
fn a_leak_would_be_found() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    let found = |text: &str| traces(key).iter().any(|trace| text.contains(trace));
    assert!(found(&format!("x {key}")));
    assert!(found(&format!(
        "data: {{\"tls.key\": \"{}\"}}",
        STANDARD.encode(key)
    )));
    assert!(found(&format!("{:?}", key.as_bytes())));
    assert!(!found("a certificate"));
}
