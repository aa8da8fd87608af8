//! Substitutes for the images in `compose.yaml` if there is no registry: the same programs, from packages that are
//! available here, in images without anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::image::{self, elf, elf::Arch, layer::Tree};
use crate::{envoy, run, version};

const TOOLS: &str = ".tools/standin";
const NGINX: &str = "nginx:1.28.0";
const HTTPBIN: &str = "ghcr.io/mccutchen/go-httpbin:2.26.0";
const HTTPBIN_MODULE: &str = "github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin@v2.26.0";
/// What `certificates.sh` calls.
const SHELL: [&str; 7] = ["openssl", "mkdir", "chmod", "chown", "mv", "cat", "sed"];

/// Fetches nginx from Debian, httpbin from its Go module, and Envoy as all tests do.
pub(crate) fn fetch() -> Result<()> {
    envoy()?;
    fs::create_dir_all(TOOLS)?;
    let tools = fs::canonicalize(TOOLS)?;
    if !nginx().is_file() {
        run(Command::new("apt-get")
            .args(["download", "nginx"])
            .current_dir(&tools))
        .context("nginx comes from Debian (`apt-get update` first)")?;
        let packages = fs::read_dir(&tools)?.collect::<Result<Vec<_>, _>>()?;
        let mut packages = packages.iter().map(fs::DirEntry::path);
        let package = packages.find(|path| path.extension().is_some_and(|end| end == "deb"));
        run(Command::new("dpkg")
            .arg("-x")
            .arg(package.context("no package was fetched")?)
            .arg(tools.join("nginx")))?;
    }
    if !httpbin().is_file() {
        run(Command::new("go")
            .args(["install", "-trimpath", HTTPBIN_MODULE])
            .env("GOBIN", &tools)
            .env("CGO_ENABLED", "0"))?;
    }
    Ok(())
}

fn nginx() -> PathBuf {
    Path::new(TOOLS).join("nginx/usr/sbin/nginx")
}

fn httpbin() -> PathBuf {
    Path::new(TOOLS).join("go-httpbin")
}

/// The images, with their names in `compose.yaml`.
pub(super) fn images() -> Result<Vec<(String, Vec<u8>)>> {
    let packed = contents()?.into_iter().map(|(name, files, command)| {
        let archive = image::plain(&name, &files, command)?.archive;
        Ok((name, archive))
    });
    packed.collect()
}

/// The contents of the images, and the program that each runs.
pub(crate) fn contents() -> Result<[(String, Tree, &'static str); 3]> {
    let envoy_name = format!("envoyproxy/envoy:v{}", version::envoy());
    let httpbin = programs(&[(httpbin(), "usr/bin/go-httpbin")])?;
    Ok([
        (NGINX.to_owned(), nginx_files()?, "nginx"),
        (HTTPBIN.to_owned(), httpbin, "go-httpbin"),
        (envoy_name, envoy_files()?, "envoy"),
    ])
}

fn nginx_files() -> Result<Tree> {
    let mut wanted = vec![
        (nginx(), "usr/bin/nginx".to_owned()),
        (PathBuf::from("/bin/sh"), "bin/sh".to_owned()),
    ];
    wanted.extend(SHELL.map(|name| (Path::new("/usr/bin").join(name), format!("usr/bin/{name}"))));
    let mut tree = programs(&wanted)?;
    let settings = fs::read("/etc/ssl/openssl.cnf").context("OpenSSL's settings")?;
    tree.file("usr/lib/ssl/openssl.cnf", 0o644, settings);
    Ok(tree)
}

fn envoy_files() -> Result<Tree> {
    let wanted = [
        (envoy()?, "usr/bin/envoy"),
        // Where scripts and probes expect it, as Debian images have a link from /bin to /usr/bin.
        (PathBuf::from("/usr/bin/bash"), "bin/bash"),
        (PathBuf::from("/usr/bin/grep"), "usr/bin/grep"),
        (PathBuf::from("/usr/bin/cat"), "usr/bin/cat"),
        (PathBuf::from("/usr/bin/sleep"), "usr/bin/sleep"),
    ];
    programs(&wanted)
}

/// Programs of this machine with their libraries, by their paths in the image.
fn programs(wanted: &[(PathBuf, impl AsRef<str>)]) -> Result<Tree> {
    let mut tree = Tree::default();
    for (source, path) in wanted {
        let bytes = fs::read(source).with_context(|| source.display().to_string())?;
        let needed = elf::needed(&bytes, Arch::own()).with_context(|| source.display().to_string())?;
        for (path, library) in needed {
            tree.file(&path, 0o755, fs::read(library)?);
        }
        tree.file(path.as_ref(), 0o755, bytes);
    }
    Ok(tree)
}
