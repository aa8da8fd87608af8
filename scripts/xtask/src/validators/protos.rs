//! Envoy's protos with their annotations, as the crate `envoy-types` ships them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use protox::Compiler;
use protox::prost_reflect::DescriptorPool;
use serde_json::Value;

/// Folders of the crate that imports are relative to.
const INCLUDES: [&str; 8] = [
    "data-plane-api",
    "protoc-gen-validate",
    "xds",
    "googleapis",
    "opentelemetry-proto",
    "client_model",
    "cel-spec",
    "cel-spec/proto",
];
/// Protos that are not Envoy's come with the compiler, except this one.
const RULES: &str = "protoc-gen-validate/validate/validate.proto";

/// Compiles the files that define these messages, and their imports. Not all files: together, some names in them would
/// be ambiguous.
pub(super) fn pool(messages: &[&str]) -> Result<DescriptorPool> {
    let folder = folder()?;
    let includes = INCLUDES.map(|name| folder.join(name));
    let includes: Vec<_> = includes.iter().filter(|path| path.is_dir()).collect();
    let mut compiler = Compiler::new(&includes)?;
    compiler.open_file(folder.join(RULES))?;
    for message in messages
        .iter()
        .filter(|name| !name.starts_with("google.protobuf."))
    {
        let file = file(&includes, message)?;
        compiler
            .open_file(&file)
            .with_context(|| file.display().to_string())?;
    }
    Ok(compiler.descriptor_pool())
}

/// The file that defines a message: a package is a folder.
fn file(includes: &[&PathBuf], message: &str) -> Result<PathBuf> {
    let is_upper = |part: &&str| part.starts_with(|first: char| first.is_ascii_uppercase());
    let package: PathBuf = message.split('.').take_while(|part| !is_upper(part)).collect();
    let name = message.split('.').find(is_upper).context("no name")?;
    for folder in includes.iter().map(|include| include.join(&package)) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry?.path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.lines().any(|line| line == format!("message {name} {{")) {
                return Ok(path);
            }
        }
    }
    bail!("no file defines {message}")
}

/// The crate's `proto` folder, of the version that `Cargo.lock` has.
pub(super) fn folder() -> Result<PathBuf> {
    let output = crate::cargo(&["metadata", "--format-version", "1", "--locked"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let own = packages.iter().find(|package| package["name"] == "envoy-types");
    let manifest = own
        .and_then(|package| package["manifest_path"].as_str())
        .context("envoy-types is not in the tree")?;
    Ok(Path::new(manifest).with_file_name("proto"))
}
