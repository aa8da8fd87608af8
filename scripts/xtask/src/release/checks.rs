//! Reads the files of a release back and checks them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::{bundle, manuals, trial};
use crate::image::elf::{self, Arch};
use crate::image::{self, layer};
use crate::{binary, version};

type Files = BTreeMap<String, Vec<u8>>;

/// Checks all files.
pub(super) fn check(folder: &Path, archs: &[Arch]) -> Result<()> {
    sums(folder)?;
    let module = fs::read(folder.join(binary::MODULE))?;
    let artifact = layer_of(&read(folder, &image::filter_name())?)?;
    ensure!(
        artifact.len() == 1 && artifact.get("plugin.wasm") == Some(&module),
        "the filter's artifact does not hold the filter alone"
    );
    chart(folder)?;
    for arch in archs {
        of_architecture(folder, *arch).with_context(|| arch.name())?;
    }
    Ok(())
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    fs::read(folder.join(name)).with_context(|| name.to_owned())
}

/// Checks that every file is listed, with its checksum.
fn sums(folder: &Path) -> Result<()> {
    let text = fs::read_to_string(folder.join("SHA256SUMS"))?;
    let mut named = 0;
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").context("a line without a name")?;
        ensure!(layer::sum(&read(folder, name)?) == sum, "{name} has another sum");
        named += 1;
    }
    // The list cannot contain itself.
    let present = fs::read_dir(folder)?.count();
    ensure!(
        present == named + 1,
        "SHA256SUMS names {named} files of {present}"
    );
    Ok(())
}

/// Checks that the chart is where Helm looks for it, and has this version.
fn chart(folder: &Path) -> Result<()> {
    let chart = files(&unzipped(&read(folder, &bundle::chart_name())?)?)?;
    for name in ["Chart.yaml", "values.yaml", "values.schema.json"] {
        ensure!(
            chart.contains_key(&format!("sealgate/{name}")),
            "the chart has no {name}"
        );
    }
    let is_template = |name: &String| name.starts_with("sealgate/templates/");
    ensure!(chart.keys().any(is_template), "the chart has no templates");
    Ok(())
}

fn of_architecture(folder: &Path, arch: Arch) -> Result<()> {
    let name = format!("sealgate-{}-linux-{}", version::OWN, arch.name());
    let archive = files(&unzipped(&read(folder, &format!("{name}.tar.gz"))?)?)?;
    let program = archive.get(&format!("{name}/sealgate")).context("no program")?;
    for manual in manuals::names() {
        let file = archive.get(&format!("{name}/{manual}"));
        ensure!(file.is_some_and(|file| !file.is_empty()), "no {manual}");
    }
    let libraries = elf::needed(program, arch)?;
    let image = layer_of(&read(folder, &image::agent_name(arch))?)?;
    ensure!(
        image.get("usr/bin/sealgate") == Some(program),
        "the image holds another program"
    );
    ensure!(
        image.len() == 1 + libraries.len(),
        "the image holds more than it needs: {:?}",
        image.keys()
    );
    if !libraries.is_empty() {
        super::say("NOT STATIC: the program needs libraries, so it cannot be released");
    }
    let bom: Value = serde_json::from_slice(&read(folder, &format!("{name}.cdx.json"))?)?;
    ensure!(
        bom["metadata"]["component"]["version"] == version::OWN,
        "the SBOM is of another version"
    );
    trial::run(folder, program, arch, libraries.is_empty())
}

fn unzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// The files of a tar archive, without its folders.
fn files(archive: &[u8]) -> Result<Files> {
    let mut found = Files::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            found.insert(path, content);
        }
    }
    Ok(found)
}

/// The files of an image's only layer, found through its index.
fn layer_of(archive: &[u8]) -> Result<Files> {
    let files_ = files(archive)?;
    let file = |name: &str| files_.get(name).with_context(|| format!("no {name}"));
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().context("no digest")?;
        let blob = file(&format!("blobs/{}", digest.replace(':', "/")))?;
        ensure!(layer::digest(blob) == digest, "{digest} is not what lies there");
        Ok(blob)
    };
    let index: Value = serde_json::from_slice(file("index.json")?)?;
    let manifest: Value = serde_json::from_slice(blob(&index["manifests"][0])?)?;
    blob(&manifest["config"])?;
    let layer = &manifest["layers"][0];
    ensure!(
        layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip",
        "a layer of another type: {}",
        layer["mediaType"]
    );
    files(&unzipped(blob(layer)?)?)
}
