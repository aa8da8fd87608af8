//! Secrets of the API in every form, watched by name and by namespace: which are read, how they are handled, and that
//! both ways have the same result.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::cluster::{Cluster, credential};
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::manifests::server;
use sealgate_tests::pki::{Authority, Leaf};
use serde_json::Value;

/// The same material for every run.
struct Material {
    leaf: Leaf,
    next: Leaf,
    first_ca: Authority,
    second_ca: Authority,
}

impl Material {
    fn new() -> Result<Self> {
        let authority = Authority::new("CA")?;
        Ok(Self {
            leaf: authority.leaf(&["one.example"])?,
            next: authority.leaf(&["one.example"])?,
            first_ca: Authority::new("first CA")?,
            second_ca: Authority::new("second CA")?,
        })
    }
}

/// A Secret with these keys.
fn secret(name: &str, type_: &str, keys: &[(&str, &str)]) -> String {
    let block = |text: &str| {
        text.lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let value = |(key, text): &(&str, &str)| {
        if text.is_empty() {
            format!("  {key}: ''\n")
        } else {
            format!("  {key}: |\n{}", block(text))
        }
    };
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  annotations: {{kubernetes.io/service-account.name: default}}\n\
         type: {type_}\nstringData:\n{}",
        keys.iter().map(value).collect::<String>()
    )
}

/// Name, whether clients must have a certificate, and what is expected of the pair and of the bundle.
const EXPECTED: [(&str, &str, &str, &str); 9] = [
    ("generic", "MUTUAL", "ready", "ready"),
    ("tls", "SIMPLE", "ready", ""),
    ("both", "MUTUAL", "ready", "ready"),
    ("split", "MUTUAL", "ready", "ready"),
    ("token", "SIMPLE", "ignored", ""),
    ("chart", "SIMPLE", "ignored", ""),
    ("early", "SIMPLE", "pending", ""),
    ("mismatch", "SIMPLE", "refused", ""),
    ("istio-ca", "SIMPLE", "refused", ""),
];

fn shapes(own: &Material) -> Vec<String> {
    let (certificate, key) = (own.leaf.certificate.as_str(), own.leaf.key.as_str());
    let (first, second) = (
        own.first_ca.certificate.as_str(),
        own.second_ca.certificate.as_str(),
    );
    let tls = [("tls.crt", certificate), ("tls.key", key)];
    let with_ca = [tls[0], tls[1], ("ca.crt", first)];
    vec![
        secret(
            "generic",
            "Opaque",
            &[("cert", certificate), ("key", key), ("cacert", first)],
        ),
        secret("tls", "kubernetes.io/tls", &tls),
        secret("both", "Opaque", &with_ca),
        secret("split", "kubernetes.io/tls", &with_ca),
        secret("split-cacert", "Opaque", &[("cacert", second)]),
        secret("token", "kubernetes.io/service-account-token", &tls),
        secret("chart", "helm.sh/release.v1", &tls),
        secret("early", "Opaque", &[("tls.crt", ""), ("tls.key", "")]),
        secret(
            "mismatch",
            "kubernetes.io/tls",
            &[tls[0], ("tls.key", &own.next.key)],
        ),
        secret("istio-ca", "kubernetes.io/tls", &tls),
        secret("unrelated", "kubernetes.io/tls", &tls),
    ]
}

/// What the status says of the credentials, for comparison.
fn said(status: &Value) -> BTreeMap<String, String> {
    let all = status["credentials"].as_array().into_iter().flatten();
    all.map(|own| {
        let name = own["name"].as_str().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        let facts = [
            "state", "kind", "reason", "served", "serial", "subjects", "version",
        ];
        (name.to_owned(), facts.map(|fact| own[fact].to_string()).join(" "))
    })
    .collect()
}

fn subject(status: &Value, name: &str) -> String {
    credential(status, name)["subjects"].to_string()
}

/// Everything of one way to watch: what the status says after each step.
async fn shapes_by(
    plane: &ControlPlane,
    how: &str,
    own: &Material,
) -> Result<(String, Vec<BTreeMap<String, String>>)> {
    let flags = [format!("--secret-watch={how}"), "--strict-names".to_owned()];
    let mut cluster = Cluster::prepare(plane, &[&flags[0], &flags[1]]).await?;
    let elsewhere = plane.namespace("elsewhere").await?;
    for text in shapes(own) {
        cluster.objects.create(&text).await?;
    }
    elsewhere.create(&own.leaf.secret("abroad")).await?;
    let servers = EXPECTED.map(|(name, mode, ..)| server(&format!("{name}.example"), mode, name));
    let abroad = server("abroad.example", "SIMPLE", "abroad");
    cluster.gateway("tls", &(servers.concat() + &abroad)).await?;
    cluster.site.start_agent().await?;
    let mut steps = Vec::new();

    let expected = |status: &Value| {
        EXPECTED.iter().all(|(name, _, pair, bundle)| {
            let is = |name: &str, state: &str| credential(status, name)["state"] == state;
            is(name, pair) && (bundle.is_empty() || is(&format!("{name}-cacert"), bundle))
        })
    };
    let status = cluster.until("each shape is judged", expected).await?;
    ensure!(
        // It is named, and another namespace's Secret is none of it.
        credential(&status, "abroad")["state"] == "pending" && credential(&status, "unrelated").is_null(),
        "{status}"
    );
    ensure!(subject(&status, "split-cacert").contains("second CA"), "{status}");
    steps.push(said(&status));

    // The bundle of its own goes: the one beside the pair takes its place, and is followed.
    cluster
        .objects
        .delete(&secret("split-cacert", "Opaque", &[]))
        .await?;
    let is_first = |status: &Value| subject(status, "split-cacert").contains("first CA");
    steps.push(said(&cluster.until("the CA of the same Secret", is_first).await?));
    let keys = [
        ("tls.crt", own.next.certificate.as_str()),
        ("tls.key", own.next.key.as_str()),
        ("ca.crt", own.second_ca.certificate.as_str()),
    ];
    cluster
        .objects
        .replace(&secret("split", "kubernetes.io/tls", &keys))
        .await?;
    let both = |status: &Value| {
        subject(status, "split-cacert").contains("second CA")
            && credential(status, "split")["serial"] == own.next.serial.as_str()
    };
    steps.push(said(&cluster.until("both follow the one Secret", both).await?));
    let ca = [("ca.crt", own.first_ca.certificate.as_str())];
    cluster
        .objects
        .create(&secret("split-cacert", "Opaque", &ca))
        .await?;
    steps.push(said(
        &cluster.until("the bundle of its own again", is_first).await?,
    ));

    // A Secret that goes, and one that gets well.
    cluster.objects.delete(&secret("tls", "Opaque", &[])).await?;
    let well = [
        ("tls.crt", own.leaf.certificate.as_str()),
        ("tls.key", own.leaf.key.as_str()),
    ];
    cluster
        .objects
        .replace(&secret("mismatch", "kubernetes.io/tls", &well))
        .await?;
    let is_so = |status: &Value| {
        credential(status, "tls")["reason"] == "deleted" && credential(status, "mismatch")["state"] == "ready"
    };
    steps.push(said(&cluster.until("a deletion and a recovery", is_so).await?));
    Ok((cluster.objects.namespace.clone(), steps))
}

const AUDIT: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  resources: [{group: '', resources: [secrets]}]\n  \
                     omitStages: [RequestReceived, ResponseStarted]\n- level: None\n";

/// The Secrets that the agent of a namespace asked for by name, by the API server's audit log.
fn asked(log: &Path, namespace: &str) -> Result<BTreeSet<String>> {
    let user = format!("system:serviceaccount:{namespace}:sealgate");
    let mut names = BTreeSet::new();
    for line in fs::read_to_string(log)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        if event["user"]["username"] != user.as_str() {
            continue;
        }
        let uri = event["requestURI"]
            .as_str()
            .context("an audit event without URI")?;
        let by_field = uri.split_once("metadata.name%3D").map(|(_, rest)| rest);
        let by_path = uri.split_once("/secrets/").map(|(_, rest)| rest);
        let name = by_path.or(by_field).unwrap_or("(the namespace)");
        names.insert(name.split(['&', '?']).next().unwrap_or_default().to_owned());
    }
    Ok(names)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_is_the_same_by_name_and_by_namespace() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
    fs::write(&policy, AUDIT)?;
    let flags = [
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", log.display()),
    ];
    let plane = ControlPlane::start_with(&[&flags[0], &flags[1]]).await?;
    let own = Material::new()?;
    let (by_name, one) = shapes_by(&plane, "name", &own).await?;
    let (by_namespace, other) = shapes_by(&plane, "namespace", &own).await?;
    for (at, (one, other)) in one.iter().zip(&other).enumerate() {
        ensure!(
            one == other,
            "step {at}: by name {one:#?}, by namespace {other:#?}"
        );
    }
    let mut wanted: BTreeSet<String> = EXPECTED.iter().map(|(name, ..)| (*name).to_owned()).collect();
    wanted.insert("abroad".to_owned());
    for (name, mode, ..) in EXPECTED {
        if mode == "MUTUAL" {
            wanted.insert(format!("{name}-cacert"));
        }
    }
    let asked_by_name = asked(&log, &by_name)?;
    ensure!(asked_by_name == wanted, "by name: {asked_by_name:?}");
    wanted.insert("(the namespace)".to_owned());
    let asked_by_namespace = asked(&log, &by_namespace)?;
    ensure!(
        asked_by_namespace == wanted,
        "by namespace: {asked_by_namespace:?}"
    );
    Ok(())
}
