//! `cargo xtask image`: packs the agent's image and the filter's artifact from files, without an engine.
//!
//! Only this file lists the contents of the agent's image: the Dockerfile has them written to a folder (`--tree`) and
//! copies it.

pub(crate) mod elf;
pub(crate) mod layer;
mod layout;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use memchr::memmem;
use oci_spec::image::{Config, ConfigBuilder};

use crate::{binary, run, version};
use elf::Arch;
use layer::{Layer, Owner, Tree};
use layout::Image;
pub(crate) use layout::Packed;

/// Where releases are pushed to.
pub(crate) const AGENT: &str = "ghcr.io/sealgate/sealgate";
/// `sealgate istio wasm` names the same.
pub(crate) const FILTER: &str = include_str!("../../../envoy/filter-image").trim_ascii_end();
/// The agent's user in its image, and the group of its socket's folder: Envoy's image runs as 101.
const AGENT_USER: Owner = (65532, 65532);
const SOCKET_FOLDER: Owner = (65532, 101);
/// The only name that Istio and Envoy Gateway look for in a layer.
const MODULE: &str = "plugin.wasm";

#[derive(clap::Args)]
pub(crate) struct ImageArgs {
    /// Architectures to build for [default: this machine's]
    #[arg(long, value_enum)]
    arch: Vec<Arch>,
    /// Output folder for the archives
    #[arg(long, default_value = "target/images")]
    out: PathBuf,
    /// Use this build of the agent, with the filter next to it, instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Only write the files of the agent's image to this folder, and pack nothing
    #[arg(long)]
    tree: Option<PathBuf>,
    /// Build the agent's image with Docker, from the Dockerfile
    #[arg(long, conflicts_with_all = ["tree", "binary"])]
    docker: bool,
}

pub(crate) fn main(args: &ImageArgs) -> Result<()> {
    let archs = if args.arch.is_empty() {
        &[Arch::own()][..]
    } else {
        &args.arch
    };
    ensure!(
        archs.len() == 1 || (args.binary.is_none() && args.tree.is_none()),
        "--binary and --tree are for one --arch"
    );
    fs::create_dir_all(&args.out)?;
    for arch in archs {
        if args.docker {
            docker(*arch, archs.len() > 1)?;
            continue;
        }
        let program = match &args.binary {
            Some(path) => path.clone(),
            None => binary::build(*arch)?,
        };
        let files = agent_files(&program, *arch)?;
        match &args.tree {
            Some(folder) => files.write(folder)?,
            None => write(&args.out, &agent_name(*arch), &agent(&files, *arch)?)?,
        }
        if args.tree.is_none() {
            let module = fs::read(program.with_file_name(binary::MODULE))?;
            write(&args.out, &filter_name(), &filter(module)?)?;
        }
    }
    Ok(())
}

pub(crate) fn agent_name(arch: Arch) -> String {
    format!("sealgate-{}-linux-{}.oci.tar", version::OWN, arch.name())
}

pub(crate) fn filter_name() -> String {
    format!("sealgate-filter-{}.oci.tar", version::OWN)
}

#[expect(clippy::print_stdout, reason = "where it lies, and its digest, is the answer")]
fn write(folder: &Path, name: &str, packed: &Packed) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, &packed.archive).with_context(|| path.display().to_string())?;
    println!("{} {}", path.display(), packed.digest);
    Ok(())
}

/// The contents of the agent's image: the agent, and the folders to which it writes. An empty volume gets owner and
/// mode from there.
pub(crate) fn agent_files(program: &Path, arch: Arch) -> Result<Tree> {
    let bytes = fs::read(program).with_context(|| program.display().to_string())?;
    let module = fs::read(program.with_file_name(binary::AGENT_MODULE)).with_context(|| {
        format!(
            "{} does not lie beside {}",
            binary::AGENT_MODULE,
            program.display()
        )
    })?;
    ensure!(
        memmem::find(&bytes, &module).is_some(),
        "{} does not carry the filter beside it: scripts/build makes one that does",
        program.display()
    );
    let mut tree = Tree::default();
    let needed = elf::needed(&bytes, arch).with_context(|| program.display().to_string())?;
    for (path, source) in needed {
        tree.file(&path, 0o755, fs::read(&source)?);
    }
    tree.file("usr/bin/sealgate", 0o755, bytes);
    tree.folder("run/sealgate", 0o750, SOCKET_FOLDER);
    tree.folder("var/lib/sealgate", 0o700, AGENT_USER);
    Ok(tree)
}

/// The agent's image.
pub(crate) fn agent(files: &Tree, arch: Arch) -> Result<Packed> {
    let mut config = Config::default();
    config
        .set_user(Some(format!("{}:{}", AGENT_USER.0, AGENT_USER.1)))
        .set_env(Some(vec!["PATH=/usr/bin".to_owned()]))
        .set_entrypoint(Some(vec!["/usr/bin/sealgate".to_owned()]))
        .set_cmd(Some(vec!["run".to_owned()]))
        .set_labels(Some(described("Sealgate's agent").into_iter().collect()));
    let image = Image {
        name: format!("{AGENT}:{}", version::OWN),
        platform: ("linux".to_owned(), arch.name().to_owned()),
        config,
        layer: Layer::of(files)?,
    };
    layout::pack(&image, &described("Sealgate's agent"))
}

/// The filter in the form that Istio's WasmPlugin and Envoy Gateway's EnvoyExtensionPolicy accept: an image with one
/// layer (`tar+gzip`) and the module as its only file. They reject other layouts, including that of the CNCF.
pub(crate) fn filter(module: Vec<u8>) -> Result<Packed> {
    let mut tree = Tree::default();
    tree.file(MODULE, 0o644, module);
    let image = Image {
        name: format!("{FILTER}:{}", version::OWN),
        platform: ("wasip1".to_owned(), "wasm".to_owned()),
        config: ConfigBuilder::default().build()?,
        layer: Layer::of(&tree)?,
    };
    layout::pack(&image, &described("Sealgate's filter for Envoy"))
}

/// An image that compose's test uses as a substitute.
pub(crate) fn plain(name: &str, files: &Tree, command: &str) -> Result<Packed> {
    let mut config = Config::default();
    config
        .set_env(Some(vec!["PATH=/usr/bin:/bin".to_owned()]))
        .set_cmd(Some(vec![command.to_owned()]));
    let image = Image {
        name: name.to_owned(),
        platform: ("linux".to_owned(), Arch::own().name().to_owned()),
        config,
        layer: Layer::of(files)?,
    };
    layout::pack(&image, &[])
}

fn described(title: &str) -> Vec<(String, String)> {
    let of = |key: &str, value: &str| (format!("org.opencontainers.image.{key}"), value.to_owned());
    vec![
        of("title", title),
        of("version", version::OWN),
        of("revision", &version::commit()),
        of("licenses", "Apache-2.0"),
        ("dev.sealgate.envoy".to_owned(), version::envoy().to_owned()),
    ]
}

/// Builds the image with the Dockerfile. If there are several, the name of each has its architecture, as in a release.
fn docker(arch: Arch, is_one_of_several: bool) -> Result<()> {
    let mut tag = format!("{AGENT}:{}", version::OWN);
    if is_one_of_several {
        tag = format!("{tag}-{}", arch.name());
    }
    let mut command = Command::new("docker");
    command
        .args(["build", "--platform", &format!("linux/{}", arch.name())])
        .args(["--build-arg", &format!("COMMIT={}", version::commit())])
        .args(["--build-arg", &format!("VERSION={}", version::OWN)])
        .args(["--tag", &tag, "."])
        .env("DOCKER_BUILDKIT", "1");
    run(&mut command).context("Docker with its builder (BuildKit) is needed; without --docker nothing is")
}
