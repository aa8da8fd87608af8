//! The agent's SBOM, in CycloneDX 1.6. `cargo tree` knows which crates are linked for an architecture, and `cargo
//! metadata` has their properties. It contains no times or random numbers, so it is as reproducible as the program.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::image::elf::Arch;
use crate::{cargo, version};

const AGENT: &str = "sealgate-agent";

/// The SBOM of the agent for an architecture.
pub(super) fn of(arch: Arch) -> Result<Value> {
    let linked = linked(arch)?;
    let metadata: Value = serde_json::from_slice(&output(&[
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        arch.target(),
    ])?)?;
    let sums = sums(include_str!("../../../../Cargo.lock"));
    bom(&metadata, &linked, &sums)
}

fn output(arguments: &[&str]) -> Result<Vec<u8>> {
    let output = cargo(arguments).output()?;
    ensure!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// Name and version of every linked crate, including the agent.
fn linked(arch: Arch) -> Result<BTreeSet<(String, String)>> {
    let text = output(&[
        "tree",
        "--locked",
        "--package",
        AGENT,
        "--edges=normal,no-proc-macro",
        "--prefix=none",
        "--format={p}",
        "--target",
        arch.target(),
    ])?;
    let text = String::from_utf8(text)?;
    // `name v1.2.3 (a path, or *)`
    let crates = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((
            words.next()?.to_owned(),
            words.next()?.strip_prefix('v')?.to_owned(),
        ))
    });
    Ok(crates.collect())
}

/// The checksums in `Cargo.lock`, by name and version.
fn sums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut sums = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let mut lines = package
                .lines()
                .filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            lines.next().map(|line| line.trim_end_matches('"').to_owned())
        };
        if let (Some(name), Some(version), Some(sum)) = (value("name"), value("version"), value("checksum")) {
            sums.insert((name, version), sum);
        }
    }
    sums
}

fn bom(
    metadata: &Value,
    linked: &BTreeSet<(String, String)>,
    sums: &BTreeMap<(String, String), String>,
) -> Result<Value> {
    let mut references = BTreeMap::new();
    let mut components = Vec::new();
    let mut whole = Value::Null;
    for package in array(metadata, "packages")? {
        let key = (text(package, "name")?, text(package, "version")?);
        if !linked.contains(&key) {
            continue;
        }
        let component = component(package, &key, sums.get(&key))?;
        references.insert(text(package, "id")?, component["bom-ref"].clone());
        if key.0 == AGENT {
            whole = component;
        } else {
            components.push(component);
        }
    }
    ensure!(
        references.len() == linked.len(),
        "cargo knows {} of {} crates",
        references.len(),
        linked.len()
    );
    whole["type"] = json!("application");
    let mut dependencies = Vec::new();
    for node in array(&metadata["resolve"], "nodes")? {
        if let Some(reference) = references.get(&text(node, "id")?) {
            let on = array(node, "dependencies")?
                .iter()
                .filter_map(|id| references.get(id.as_str()?));
            dependencies.push(json!({ "ref": reference, "dependsOn": on.collect::<Vec<_>>() }));
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": whole,
            "properties": [
                { "name": "sealgate:commit", "value": version::commit() },
                { "name": "sealgate:envoy", "value": version::envoy() },
            ],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(package: &Value, (name, version): &(String, String), sum: Option<&String>) -> Result<Value> {
    // Older crates write a slash where SPDX has OR.
    let license = text(package, "license")
        .with_context(|| format!("{name} names no licence"))?
        .replace('/', " OR ");
    let url = format!("pkg:cargo/{name}@{version}");
    let mut component = json!({
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "licenses": [{ "expression": license }],
        "purl": url,
    });
    if let Some(sum) = sum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    Ok(component)
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key]
        .as_array()
        .with_context(|| format!("cargo metadata has no {key}"))
}

fn text(value: &Value, key: &str) -> Result<String> {
    Ok(value[key]
        .as_str()
        .with_context(|| format!("cargo metadata has no {key}"))?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linked_crate_is_in_it_with_licence_sum_and_place() {
        let bom = of(Arch::Amd64).unwrap();
        assert_eq!(bom["metadata"]["component"]["name"], AGENT);
        let components = bom["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        for name in ["kube", "rustls", "aws-lc-sys", "sealgate-core", "tokio"] {
            assert!(named(name).is_some(), "{name}");
        }
        // Crates that are only used to build or test it are not in it.
        for name in ["rcgen", "cc", "serde_derive", "windows-sys"] {
            assert!(named(name).is_none(), "{name}");
        }
        assert_eq!(
            named("tokio").unwrap()["hashes"][0]["content"]
                .as_str()
                .unwrap()
                .len(),
            64
        );
        let whole = &bom["metadata"]["component"]["bom-ref"];
        let references = components
            .iter()
            .map(|component| &component["bom-ref"])
            .chain([whole]);
        let references: Vec<&str> = references.map(|reference| reference.as_str().unwrap()).collect();
        for dependency in bom["dependencies"].as_array().unwrap() {
            assert!(references.contains(&dependency["ref"].as_str().unwrap()));
        }
        assert_eq!(bom["dependencies"].as_array().unwrap().len(), references.len());
    }
}
