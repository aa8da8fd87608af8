//! Docker's engine: the one that answers, or one in its own namespaces, which ends with them and does not affect this
//! machine.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{debian, namespaces, run};

const LIMIT: Duration = Duration::from_secs(60);
/// Programs that are needed to start one, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 6] = [
    ("dockerd", "docker.io"),
    ("docker", "docker.io"),
    ("tini", "tini"),
    ("unshare", "util-linux"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
];

/// Whether an engine answers.
pub(super) fn answers() -> bool {
    let quiet = Command::new("docker")
        .arg("info")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// What is missing to start one.
pub(super) fn can_be_started() -> Result<(), String> {
    let mut missing = PROGRAMS.iter().filter(|(name, _)| !debian::has(name));
    if let Some((name, package)) = missing.next() {
        return Err(format!("{name} is missing (Debian's package {package})"));
    }
    let mut namespace = Command::new("unshare");
    namespace
        .args(["--net", "--mount", "--pid", "--fork", "true"])
        .stderr(Stdio::null());
    match namespace.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("namespaces cannot be made (only root may)".to_owned()),
    }
}

/// Runs this program again in its own namespaces. When `unshare` is killed, everything in there ends.
pub(super) fn enter(binary: &Path) -> Result<()> {
    let folder = env::temp_dir().join(format!("sealgate-engine-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let mut command = namespaces::command();
    command
        .args(["tini", "-s", "--"])
        .arg(env::current_exe()?)
        .args(["compose-test", "--inside"])
        .arg(&folder)
        .arg("--binary")
        .arg(binary)
        .env(
            "DOCKER_HOST",
            format!("unix://{}", folder.join("docker.sock").display()),
        );
    let done = run(&mut command);
    if done.is_err() {
        show_end(&folder.join("log"));
    }
    // Its mounts ended with the namespace.
    fs::remove_dir_all(&folder)?;
    done
}

#[expect(clippy::print_stderr, reason = "why the engine did not do it stands there")]
fn show_end(log: &Path) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("level=info")).collect();
    for line in lines.iter().skip(lines.len().saturating_sub(15)) {
        eprintln!("dockerd: {line}");
    }
}

/// An engine that ends with this value.
pub(super) struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        // It ends its containers; if it were killed, they would run until the namespace ends.
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.0.wait();
    }
}

/// Starts one, with everything in a new folder: remains of another would prevent its start.
pub(super) fn start(folder: &Path) -> Result<Engine> {
    run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    for own in ["/run/containerd", "/run/docker"] {
        fs::create_dir_all(own)?;
        run(Command::new("mount").args(["-t", "tmpfs", "none", own]))?;
    }
    let log = fs::File::create(folder.join("log"))?;
    let host = env::var("DOCKER_HOST").context("DOCKER_HOST is not set")?;
    let mut engine = Engine(
        Command::new("dockerd")
            .arg("--data-root")
            .arg(folder.join("data"))
            .arg("--exec-root")
            .arg(folder.join("exec"))
            .arg("--pidfile")
            .arg(folder.join("pid"))
            .args(["--host", &host])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?,
    );
    let begun = Instant::now();
    while !answers() {
        if let Some(status) = engine.0.try_wait()? {
            bail!("dockerd ended: {status}");
        }
        ensure!(begun.elapsed() < LIMIT, "dockerd does not answer");
        sleep(Duration::from_millis(200));
    }
    Ok(engine)
}

/// Gives an image to the engine.
pub(super) fn load(archive: &[u8]) -> Result<()> {
    let mut child = Command::new("docker")
        .args(["load", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("no standard input")?
        .write_all(archive)?;
    let status = child.wait()?;
    ensure!(status.success(), "docker load: {status}");
    Ok(())
}
