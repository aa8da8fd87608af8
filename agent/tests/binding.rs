//! Which rule of which VirtualService takes a request, once Gateways, namespaces, ports and delegates are resolved: the
//! table `binding.yaml`, tested with `explain --batch` and `check`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

const CASES: &str = include_str!("binding.yaml");
const API: &str = "apiVersion: networking.istio.io/v1";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    /// The hosts of the Gateway; `*` if none are given.
    #[serde(default)]
    gateway: Vec<String>,
    /// Documents; those without an `apiVersion` are Istio's.
    objects: String,
    asked: Vec<Asked>,
    /// `CODE OBJECT FIELD` of every error, and of what is said of destinations.
    #[serde(default)]
    findings: Vec<String>,
}

/// A host with a path, what `explain` says of it in short, and headers.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asked {
    Plain(String, String),
    With(String, String, BTreeMap<String, String>),
}

fn sealgate(arguments: &[&str], folder: &TempDir, input: &str) -> Result<Vec<u8>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .args(arguments)
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("stdin")?.write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?.stdout)
}

impl Case {
    fn write(&self) -> Result<TempDir> {
        let hosts = if self.gateway.is_empty() {
            vec!["*".to_owned()]
        } else {
            self.gateway.clone()
        };
        let gateway = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "gateway", "namespace": "istio-system"},
            "spec": {
                "selector": {"istio": "ingressgateway"},
                "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}],
            },
        });
        let mut text = gateway.to_string();
        for name in ["one", "two", "three", "four"] {
            text += &format!(
                "\n---\n{{{API}, kind: ServiceEntry, metadata: {{name: {name}}}, spec: {{hosts: [{name}.local], \
                 resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}]}}}}"
            );
        }
        for document in self.objects.split("\n---\n") {
            let document = document.trim();
            text += "\n---\n";
            text += &if document.contains("apiVersion") {
                document.to_owned()
            } else {
                document.replacen('{', &format!("{{{API}, "), 1)
            };
        }
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("objects.yaml"), text)?;
        Ok(folder)
    }

    fn check(&self) -> Result<()> {
        let folder = self.write()?;
        let none = BTreeMap::new();
        let asked = self.asked.iter().map(|asked| match asked {
            Asked::Plain(url, expected) => (url, expected, &none),
            Asked::With(url, expected, headers) => (url, expected, headers),
        });
        let asked: Vec<_> = asked.collect();
        let lines: Vec<String> = asked
            .iter()
            .map(|(url, _, headers)| question(url, headers))
            .collect();
        let answers = sealgate(&["explain", "--batch", "-"], &folder, &lines.join("\n"))?;
        let answers = String::from_utf8(answers)?;
        ensure!(answers.lines().count() == asked.len(), "{answers}");
        for ((url, expected, _), line) in asked.iter().zip(answers.lines()) {
            let answer: Value = serde_json::from_str(line)?;
            let short = short(&answer);
            // What is not written down is not compared.
            ensure!(
                short == **expected || short.starts_with(&format!("{expected} ")),
                "{url}: {short}, not {expected}"
            );
        }
        let report: Value = serde_json::from_slice(&sealgate(&["check", "--json"], &folder, "")?)?;
        let mut found: Vec<String> = report["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|finding| finding["severity"] == "error" || is_of_a_destination(finding))
            .map(|finding| {
                let words =
                    ["code", "object", "field"].map(|word| finding[word].as_str().unwrap_or_default());
                words.join(" ").trim_end().to_owned()
            })
            .collect();
        let mut expected = self.findings.clone();
        found.sort();
        expected.sort();
        ensure!(found == expected, "found {found:#?}");
        Ok(())
    }
}

fn is_of_a_destination(finding: &Value) -> bool {
    let code = finding["code"].as_str().unwrap_or_default();
    matches!(code, "unknown-destination" | "unknown-subset" | "unknown-port")
}

fn question(url: &str, headers: &BTreeMap<String, String>) -> String {
    let (authority, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let headers: Vec<_> = headers.iter().collect();
    json!({"scheme": "http", "authority": authority, "path": path, "headers": headers}).to_string()
}

/// `ROOT>VIRTUALSERVICE RULE MATCH TARGET TIMEOUT NAME`, or the reason of a 404.
fn short(answer: &Value) -> String {
    let (matched, decision) = (&answer["matched"], &answer["decision"]);
    if let Some(reason) = decision["reason"].as_str() {
        return reason.to_owned();
    }
    let root = matched["root"]["virtualService"].as_str();
    let root = root.map(|root| format!("{root}>")).unwrap_or_default();
    let service = matched["virtualService"].as_str().unwrap_or_default();
    let block = matched["match"]
        .as_u64()
        .map_or("-".to_owned(), |block| block.to_string());
    let cluster = decision["cluster"]
        .as_str()
        .and_then(|cluster| cluster.rsplit('|').next());
    let target = cluster.or(decision["location"].as_str()).unwrap_or_default();
    let timeout = decision["timeoutMs"]
        .as_u64()
        .map(|ms| format!(" {ms}"))
        .unwrap_or_default();
    let name = matched["ruleName"]
        .as_str()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    format!(
        "{root}{service} {} {block} {target}{timeout}{name}",
        matched["rule"]
    )
}

#[test]
fn every_request_finds_its_rule() -> Result<()> {
    let cases: Vec<Case> = serde_saphyr::from_str(CASES)?;
    let failed = cases.iter().filter_map(|case| {
        let error = case.check().err()?;
        Some(format!("{}: {error:#}", case.case))
    });
    let failed: Vec<_> = failed.collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
