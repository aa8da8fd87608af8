//! The Helm chart, and what `kubectl apply -k envoy/kubernetes/gateway` applies: the same, rendered with its default
//! values.

mod fingerprint;
mod restricted;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::go_tool::HELM;
use restricted::{containers, offences};

const CHART: &str = "envoy/helm/sealgate";
const RENDERED: &str = "envoy/kubernetes/gateway/gateway.yaml";
/// Values that the chart accepts, and those that it rejects, each with a word of the reason in its first line.
const TAKEN: &str = "tests/helm/taken";
const REFUSED: &str = "tests/helm/refused";
const NAMESPACE: &str = "istio-system";
const HEAD: &str = "# Written by `cargo xtask chart` from envoy/helm/sealgate with its default values: change the chart, not this file.\n";
/// The fingerprint of the chart that the file was made from: shows without Helm whether the file is outdated.
const FINGERPRINT: &str = "# chart: ";
/// What only a Helm release has.
const OF_HELM: [&str; 3] = [
    "# Source: ",
    "app.kubernetes.io/managed-by: Helm",
    "helm.sh/chart: ",
];

/// Tests the chart, then writes or compares the file.
pub(crate) fn main(is_check: bool) -> Result<()> {
    let helm = Helm(HELM.get()?);
    helm.lint(&[])?;
    for values in files(Path::new(TAKEN))? {
        helm.lint(&[&values])?;
        sound(&helm.render(&[&values])?).with_context(|| values.display().to_string())?;
    }
    for values in files(Path::new(REFUSED))? {
        helm.refuses(&values)?;
    }
    let text = manifest(&helm.render(&[])?)?;
    let is_current = fs::read_to_string(RENDERED).is_ok_and(|old| old == text);
    ensure!(
        is_current || !is_check,
        "{RENDERED} is old: run `cargo xtask chart`"
    );
    if !is_current {
        fs::write(RENDERED, text)?;
    }
    Ok(())
}

/// Sorted, so that every machine tests them in the same order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    ensure!(!paths.is_empty(), "{}: there is none", folder.display());
    paths.sort();
    Ok(paths)
}

/// The program.
struct Helm(PathBuf);

impl Helm {
    fn ask(&self, arguments: &[&str], values: &[&Path]) -> Result<Output> {
        let mut command = Command::new(&self.0);
        command.args(arguments).args(["--namespace", NAMESPACE]);
        for path in values {
            command.arg("--values").arg(path);
        }
        // Users may have their own repositories and plugins.
        let nowhere = std::env::temp_dir().join("sealgate-helm");
        let folders = ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"];
        command.envs(folders.map(|name| (name, &nowhere)));
        command.output().with_context(|| format!("{command:?}"))
    }

    fn lint(&self, values: &[&Path]) -> Result<()> {
        let output = self.ask(&["lint", "--strict", CHART], values)?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "helm lint {values:?}: {said}");
        Ok(())
    }

    fn render(&self, values: &[&Path]) -> Result<String> {
        let output = self.ask(&["template", "sealgate", CHART], values)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm template {values:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn refuses(&self, values: &Path) -> Result<()> {
        let text = fs::read_to_string(values)?;
        let reason = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let reason = reason.with_context(|| format!("{}: no reason", values.display()))?;
        let output = self.ask(&["template", "sealgate", CHART], &[values])?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success() && said.contains(reason),
            "{}: {reason:?} was to be refused: {said}",
            values.display()
        );
        Ok(())
    }
}

/// Checks what a schema cannot: arguments are text, and a namespace that enforces "restricted" accepts the pods, unless
/// the values ask for host ports.
fn sound(rendered: &str) -> Result<()> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(rendered)?;
    let pods: Vec<&Value> = documents
        .iter()
        .filter_map(|document| document.pointer("/spec/template/spec"))
        .collect();
    ensure!(pods.len() == 1, "{} workloads", pods.len());
    for pod in pods {
        let mut offences = offences(pod);
        offences.retain(|offence| !offence.ends_with("hostPort"));
        ensure!(offences.is_empty(), "not restricted: {offences:?}");
        for container in containers(pod) {
            let arguments = container["args"].as_array().context("no arguments")?;
            let strange = arguments.iter().find(|argument| !argument.is_string());
            ensure!(strange.is_none(), "{strange:?} is no argument");
        }
    }
    Ok(())
}

/// What Helm rendered, as a standalone file: with its namespace, without anything specific to Helm.
fn manifest(rendered: &str) -> Result<String> {
    let mut text = format!("{HEAD}{FINGERPRINT}{}\n---\n", fingerprint::of(Path::new(CHART))?);
    text.push_str(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n"
    ));
    for document in rendered.split("\n---\n") {
        text.push_str("---\n");
        let lines = document.trim_start_matches("---\n").trim_end().lines();
        for line in lines.filter(|line| !OF_HELM.iter().any(|own| line.trim_start().starts_with(own))) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
