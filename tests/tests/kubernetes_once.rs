//! `check` and `explain` with a cluster: the real API server, read once with the user's permissions.

use std::process::{Command, Output};

use anyhow::{Result, ensure};
use sealgate_tests::cluster::{Cluster, rights};
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::manifests::HELLO;
use sealgate_tests::site::program;
use serde_json::Value;

/// A command that reads the cluster with the agent's rights.
fn ask(cluster: &Cluster, words: &[&str]) -> Result<Output> {
    let namespace = &cluster.objects.namespace;
    let mut command = Command::new(program("SEALGATE_BIN")?);
    command
        .args(words)
        .arg("--source=kubernetes")
        .arg(format!("--namespace={namespace}"))
        .arg(format!("--gateway-labels=istio={namespace}"))
        .env("KUBECONFIG", &cluster.access.kubeconfig);
    Ok(command.output()?)
}

fn json(output: &Output) -> Result<Value> {
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What is said of the certificate that the Gateway names.
fn credential(report: &Value, namespace: &str) -> Value {
    let all = report["credentials"].as_array().into_iter().flatten();
    let name = format!("{namespace}/aliyun-com");
    let own = all.into_iter().find(|own| own["name"] == name);
    own.cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_checked_and_explained_with_the_rights_of_whoever_asks() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let cluster = Cluster::prepare(plane, &[]).await?;
    let namespace = cluster.objects.namespace.clone();
    cluster.upstreams().await?;
    cluster.gateway("aliyun-com", "").await?;
    cluster.virtual_service("a", "a.aliyun.com", HELLO).await?;
    cluster.rotate("aliyun-com", &["*.aliyun.com"]).await?;
    let url = "https://a.aliyun.com/hello";
    let explained = ask(&cluster, &["explain", "--json", url])?;
    ensure!(explained.status.code() == Some(0), "{explained:?}");
    let told = json(&explained)?;
    ensure!(
        told["matched"]["virtualService"] == format!("{namespace}/a"),
        "{told}"
    );
    let checked = json(&ask(&cluster, &["check", "--json"])?)?;
    ensure!(credential(&checked, &namespace)["state"] == "ready", "{checked}");
    ensure!(checked["tenancy"]["mode"] == "namespaces", "{checked}");

    // A Secret that may not be read is no missing one, and says nothing of the rest.
    let all = rights(&namespace);
    cluster
        .objects
        .apply(&all.replace("resources: [secrets]", "resources: [nothing]"))
        .await?;
    let output = ask(&cluster, &["check", "--json"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        said.contains("no permission to read") && said.contains("aliyun-com"),
        "{said}"
    );
    let report = json(&output)?;
    ensure!(
        credential(&report, &namespace)["reason"] == "unreadable",
        "{report}"
    );
    ensure!(
        !report["findings"].to_string().contains("credential-not-ready"),
        "{report}"
    );
    ensure!(
        ask(&cluster, &["explain", url])?.status.code() == Some(0),
        "explain"
    );

    // Without a kind, much would seem to be missing: nothing is answered, and the kind is named.
    cluster
        .objects
        .apply(&all.replace("serviceentries,", "nothing,"))
        .await?;
    for words in [&["check"][..], &["explain", url]] {
        let output = ask(&cluster, words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(2) && output.stdout.is_empty(),
            "{output:?}"
        );
        ensure!(
            said.contains("--source kubernetes: cannot list serviceentries.networking.istio.io"),
            "{said}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_does_not_answer_is_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n\
        clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: a, user: {}}]\n";
    std::fs::write(&kubeconfig, text)?;
    for (context, reason) in [("a", "cannot list"), ("b", "--kube-context b")] {
        let output = Command::new(program("SEALGATE_BIN")?)
            .args(["check", "--source=kubernetes", "--kube-context", context])
            .env("KUBECONFIG", &kubeconfig)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(2) && said.contains(reason),
            "{context}: {said}"
        );
    }
    Ok(())
}
