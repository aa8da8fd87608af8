//! Tests the packed program, with Debian's `qemu-user-static` if it is for another architecture.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::image::elf::Arch;
use crate::version;

/// The objects that it serves.
const OBJECTS: &str = "envoy/compose/manifests";
/// Enough for an emulator on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs it from a folder; in a release, it must print its version.
pub(super) fn run(folder: &Path, program: &[u8], arch: Arch, is_release: bool) -> Result<()> {
    let path = fs::canonicalize(folder)?.join(".sealgate");
    fs::write(&path, program)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let program = Program { path: &path, arch };
    let tried = if program.can_run() {
        says_its_version(&program, is_release).and_then(|()| serves(&program))
    } else {
        super::say(&format!(
            "NOT RUN: the program for {}, because there is no {}",
            arch.name(),
            arch.emulator()
        ));
        Ok(())
    };
    fs::remove_file(&path)?;
    tried
}

pub(super) struct Program<'p> {
    pub(super) path: &'p Path,
    pub(super) arch: Arch,
}

impl Program<'_> {
    pub(super) fn can_run(&self) -> bool {
        let emulator = || Command::new(self.arch.emulator()).arg("--version").output();
        self.arch == Arch::own() || emulator().is_ok()
    }

    pub(super) fn command(&self) -> Command {
        if self.arch == Arch::own() {
            return Command::new(self.path);
        }
        let mut command = Command::new(self.arch.emulator());
        command.arg(self.path);
        command
    }
}

fn says_its_version(program: &Program<'_>, is_release: bool) -> Result<()> {
    let output = program.command().arg("--version").output()?;
    let said = String::from_utf8(output.stdout)?;
    super::say(&format!(
        "the one for {} says: {}",
        program.arch.name(),
        said.trim()
    ));
    let mut wanted = vec![version::OWN.to_owned(), format!("Envoy {}", version::envoy())];
    if is_release {
        wanted.push(version::commit());
    }
    for wanted in wanted {
        ensure!(
            said.contains(&wanted),
            "`sealgate --version` does not name {wanted}"
        );
    }
    Ok(())
}

/// Ends with this value, and removes its folder.
struct Agent {
    process: Child,
    folder: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Checks that it reads objects, and has the socket and the filter where Envoy looks for them.
fn serves(program: &Program<'_>) -> Result<()> {
    // A socket's path must be short.
    let folder = env::temp_dir().join(format!("sealgate-trial-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let log = folder.join("log");
    let process = program
        .command()
        .args(["run", "--admin=off", "--source", &format!("dir:{OBJECTS}")])
        .arg("--socket")
        .arg(folder.join("run/xds.sock"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    let mut agent = Agent { process, folder };
    let place = agent.folder.join("run");
    let begun = Instant::now();
    while !place.join("xds.sock").exists() {
        let status = agent.process.try_wait()?;
        if status.is_some() || begun.elapsed() > LIMIT {
            bail!("it does not serve: {}", fs::read_to_string(&log)?);
        }
        sleep(Duration::from_millis(50));
    }
    let names = fs::read_dir(&place)?.collect::<std::io::Result<Vec<_>>>()?;
    let module = names
        .iter()
        .find(|entry| entry.path().extension().is_some_and(|end| end == "wasm"))
        .context("no filter lies beside the socket")?;
    super::say(&format!(
        "the one for {} serves, with a filter of {} bytes",
        program.arch.name(),
        module.metadata()?.len()
    ));
    Ok(())
}
