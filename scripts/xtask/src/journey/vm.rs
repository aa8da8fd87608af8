//! Plays `docs/journeys/vm.md` on its own machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, ensure};

use super::load::Load;
use super::shell::{Shell, say};
use super::{machine, page::Block};
use crate::image::elf::Arch;
use crate::release::bundle;
use crate::release::manuals::Manuals;
use crate::{envoy, run, version};

const PAGE: &str = "docs/journeys/vm.md";
const HOST: &str = "www.example.com";
/// How long `envoy.service` lets an Envoy take to end, and some more for a busy machine.
const DRAINED: Duration = Duration::from_secs(100);
/// The load runs from after the first request until before the removal.
const LOADED: [&str; 2] = ["Replace the certificate", "Remove"];

/// Puts what the page downloads into a folder, and starts the machine.
pub(super) fn outside(agent: &Path) -> Result<()> {
    machine::can_be_started()?;
    let folder = std::env::temp_dir().join(format!("sealgate-journey-{}", std::process::id()));
    let home = folder.join("home");
    fs::create_dir_all(&home)?;
    let name = format!("sealgate-{}-linux-{}", version::OWN, Arch::own().name());
    let small = home.join("sealgate");
    run(Command::new("strip")
        .arg("--strip-debug")
        .arg("-o")
        .arg(&small)
        .arg(agent))?;
    let archive = bundle::program(&name, &small, &Manuals::of_own(&small)?)?;
    fs::remove_file(small)?;
    fs::write(home.join(format!("{name}.tar.gz")), archive)?;
    fs::copy(envoy()?, home.join("envoy"))?;
    let done = machine::run_in(&folder, &["journey", "vm"]);
    fs::remove_dir_all(&folder)?;
    done
}

/// Plays the page, in the machine.
pub(super) fn inside(folder: &Path) -> Result<()> {
    let mut load = None;
    let shell = Shell::new(&folder.join("home"), &folder.join("state"));
    shell.play(PAGE, |block| watch(&mut load, folder, block))?;
    ensure!(load.is_none(), "the page does not end with {:?}", LOADED[1]);
    for left in ["/etc/sealgate", "/var/lib/sealgate", "/run/sealgate/xds.sock"] {
        ensure!(!Path::new(left).exists(), "{left} is left");
    }
    Ok(())
}

/// Additional checks besides the page's own commands.
fn watch(load: &mut Option<Load>, folder: &Path, block: &Block) -> Result<()> {
    if block.section == LOADED[0] && load.is_none() {
        *load = Some(Load::start(HOST, "127.0.0.1", folder)?);
        say(&format!("{}: load begins", block.section));
    }
    if block.section == LOADED[1] {
        replaced()?;
        let load = load.take().context("there was no load")?;
        say(&load.end()?);
        confined()?;
    }
    Ok(())
}

/// Checks that the upgraded Envoy is a new process, and that the previous one ends.
fn replaced() -> Result<()> {
    let begun = Instant::now();
    loop {
        let seen = output(
            "pgrep",
            &["--exact", "--full", "--list-full", "/usr/local/bin/envoy .*"],
        )?;
        let running: Vec<&str> = seen.lines().collect();
        if let [one] = running.as_slice() {
            ensure!(one.ends_with("--restart-epoch 1"), "no Envoy took over: {one}");
            say(&format!(
                "after the reload the new Envoy is alone, within {:.0} s",
                begun.elapsed().as_secs_f64()
            ));
            return Ok(());
        }
        ensure!(begun.elapsed() < DRAINED, "Envoys: {running:?}");
        sleep(Duration::from_secs(1));
    }
}

/// Checks what the page says about users, and systemd's assessment of the services.
fn confined() -> Result<()> {
    let key = "/etc/sealgate/objects/my-site/tls.key";
    let reads = |user: &str| {
        let mut command = Command::new("runuser");
        command.args(["-u", user, "--", "cat", key]);
        Ok::<_, Error>(command.output()?.status.success())
    };
    ensure!(reads("sealgate")?, "the agent's user cannot read {key}");
    ensure!(!reads("envoy")?, "Envoy can read {key}");
    let socket = output("stat", &["--format", "%a %U %G", "/run/sealgate/xds.sock"])?;
    ensure!(socket == "660 sealgate envoy", "the socket: {socket}");
    for service in ["sealgate", "envoy"] {
        let unit = format!("{service}.service");
        let said = output("systemd-analyze", &["--no-pager", "security", &unit])?;
        let exposure = said
            .lines()
            .find(|line| line.contains("Overall exposure"))
            .with_context(|| format!("{unit}: {said}"))?;
        say(exposure.trim_start_matches(['→', ' ']));
    }
    Ok(())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said}{errors}");
    Ok(said)
}
