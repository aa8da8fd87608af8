//! `cargo xtask release --dry-run`: makes and checks everything in a release, but pushes nothing.
//! `.github/workflows/release.yml` does the same on a tag, and then signs and pushes the result.

pub(crate) mod bundle;
mod checks;
pub(crate) mod manuals;
mod sbom;
mod trial;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use self::manuals::Manuals;
use crate::image::{self, elf::Arch, layer};
use crate::{binary, version};

#[derive(clap::Args)]
pub(crate) struct ReleaseArgs {
    /// Build and check everything locally, and push nothing; required for now
    #[arg(long)]
    dry_run: bool,
    /// The tag to release: it must match the version, which must be in the changelog
    #[arg(long)]
    tag: Option<String>,
    /// Architectures to build for
    #[arg(long, value_enum, default_values = ["amd64", "arm64"])]
    arch: Vec<Arch>,
    /// Use this build of the agent, with the filter next to it, instead of building one (for one architecture)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Output folder
    #[arg(long, default_value = "target/dist")]
    out: PathBuf,
}

pub(crate) fn main(args: &ReleaseArgs) -> Result<()> {
    ensure!(
        args.dry_run,
        "a release is pushed by .github/workflows/release.yml alone; this makes one with --dry-run"
    );
    ensure!(
        args.binary.is_none() || args.arch.len() == 1,
        "--binary is for one --arch"
    );
    let notes = versions::check(Path::new("."), args.tag.as_deref())?;
    say(&format!(
        "Sealgate {}, commit {}, Envoy {}",
        version::OWN,
        version::commit(),
        version::envoy()
    ));
    let _ = fs::remove_dir_all(&args.out);
    fs::create_dir_all(&args.out)?;
    let out = Out(&args.out);
    out.put("CHANGELOG.md", notes.as_bytes())?;
    let mut programs = Vec::new();
    for arch in &args.arch {
        let program = match &args.binary {
            Some(path) => path.clone(),
            None => binary::build(*arch)?,
        };
        programs.push((*arch, program));
    }
    let manuals = Manuals::of_any(&programs)?;
    for (arch, program) in &programs {
        of_architecture(&out, program, *arch, &manuals)?;
    }
    out.put(
        &bundle::chart_name(),
        &bundle::chart(Path::new("envoy/helm/sealgate"))?,
    )?;
    out.put("SHA256SUMS", sums(&args.out)?.as_bytes())?;
    checks::check(&args.out, &args.arch)?;
    say("checked: sums, archives, images, artifact, chart, SBOMs");
    Ok(())
}

/// The archive with the program, its image, and the SBOM.
fn of_architecture(out: &Out<'_>, program: &Path, arch: Arch, manuals: &Manuals) -> Result<()> {
    let name = format!("sealgate-{}-linux-{}", version::OWN, arch.name());
    out.put(
        &format!("{name}.tar.gz"),
        &bundle::program(&name, program, manuals)?,
    )?;
    let packed = image::agent(&image::agent_files(program, arch)?, arch)?;
    out.put(&image::agent_name(arch), &packed.archive)?;
    let bom = sbom::of(arch)?;
    out.put(
        &format!("{name}.cdx.json"),
        serde_json::to_string_pretty(&bom)?.as_bytes(),
    )?;
    let module = fs::read(program.with_file_name(binary::MODULE))?;
    out.put(binary::MODULE, &module)?;
    out.put(&image::filter_name(), &image::filter(module)?.archive)
}

struct Out<'a>(&'a Path);

impl Out<'_> {
    /// Adds a file. The filter is the same for all architectures: a different one with its name is an error.
    fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.0.join(name);
        if let Ok(present) = fs::read(&path) {
            ensure!(present == content, "{name} is made twice, and is not the same");
            return Ok(());
        }
        fs::write(&path, content).with_context(|| path.display().to_string())?;
        say(&format!("{} {} bytes", path.display(), content.len()));
        Ok(())
    }
}

/// The file that `sha256sum --check` reads.
fn sums(folder: &Path) -> Result<String> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    let lines = names
        .iter()
        .map(|name| Ok(format!("{}  {name}\n", layer::sum(&fs::read(folder.join(name))?))));
    lines.collect()
}

#[expect(clippy::print_stdout, reason = "what was made is the answer")]
fn say(line: &str) {
    println!("{line}");
}
