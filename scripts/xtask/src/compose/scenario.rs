//! Checks what `envoy/compose` promises.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::{FOLDER, compose};

/// Not the name of a user's containers.
pub(super) const PROJECT: &str = "sealgate-test";
/// A busy machine may be slow.
const LIMIT: Duration = Duration::from_secs(60);
const CREDENTIAL: &str = "myexample-credential";

/// Containers that are removed with this value.
struct Project {
    authority: PathBuf,
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.authority);
        if let Ok(mut command) = project(&["down", "--volumes", "--timeout", "5"]) {
            let _ = command.stderr(Stdio::null()).status();
        }
    }
}

pub(super) fn play(agent: &Path) -> Result<()> {
    the_bootstrap_is_what_the_agent_prints(agent)?;
    {
        let project = up()?;
        both_hosts_answer(&project)?;
        say("both hosts answer; plain HTTP is redirected to HTTPS");
        a_new_certificate_is_served()?;
        say("a new certificate is served, and `sealgate certs` shows that Envoy has it");
        an_agent_that_died_is_replaced(&project)?;
        say("the agent was killed: Envoy kept serving, a new agent started, and a new certificate is served");
        nobody_may_more_than_needed()?;
        say("Envoy: user 101, no capabilities, a read-only root; the socket: 65532, group 101, 0660");
    }
    nothing_is_left()?;
    say("`down` left no container, volume or network");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what was seen is the answer")]
pub(super) fn say(line: &str) {
    println!("{line}");
}

fn project(arguments: &[&str]) -> Result<Command> {
    let mut command = compose()?;
    command.args(["--project-name", PROJECT]).args(arguments);
    Ok(command)
}

pub(super) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(output.status.success(), "{command:?}: {}: {text}", output.status);
    Ok(text)
}

pub(super) fn docker(arguments: &[&str]) -> Result<String> {
    output(Command::new("docker").args(arguments))
}

/// Waits until it is true.
fn eventually(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn the_bootstrap_is_what_the_agent_prints(agent: &Path) -> Result<()> {
    let kept = fs::read_to_string(Path::new(FOLDER).join("bootstrap.yaml"))?;
    let (_, kept) = kept.split_once('\n').context("bootstrap.yaml is empty")?;
    let printed = output(Command::new(agent).arg("bootstrap"))?;
    ensure!(
        kept.trim() == printed,
        "{FOLDER}/bootstrap.yaml is not what `sealgate bootstrap` prints"
    );
    Ok(())
}

fn up() -> Result<Project> {
    let project_ = Project {
        authority: env::temp_dir().join(format!("{PROJECT}-{}.crt", std::process::id())),
    };
    let up = [
        "up",
        "--no-build",
        "--quiet-pull",
        "--wait",
        "--wait-timeout",
        "180",
    ];
    let done = output(project(&up)?.stderr(Stdio::inherit()));
    if done.is_err() {
        let _ = project(&["logs", "--no-color", "--tail", "20"])?.status();
    }
    done?;
    fs::write(&project_.authority, tool(&["authority"])?)?;
    Ok(project_)
}

/// The output of the service for certificates.
fn tool(arguments: &[&str]) -> Result<String> {
    let run = ["run", "--rm", "--no-TTY", "--quiet-pull", "certificates"];
    output(project(&[&run[..], arguments].concat())?.stdin(Stdio::null()))
}

fn curl(project: &Project, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "10",
            "--connect-to",
            ":443:127.0.0.1:8443",
            "--cacert",
        ])
        .arg(&project.authority)
        .args(arguments);
    output(&mut command)
}

fn hello(project: &Project) -> Result<()> {
    let text = curl(project, &["https://a.aliyun.com/hello"])?;
    ensure!(text == "Welcome to Nginx Server!", "/hello: {text}");
    Ok(())
}

fn both_hosts_answer(project: &Project) -> Result<()> {
    let status = |url: &str| {
        let write = "%{http_code} %{redirect_url}";
        curl(project, &["--output", "/dev/null", "--write-out", write, url])
    };
    hello(project)?;
    for (url, wanted) in [
        ("https://b.aliyun.com/status/418", "418"),
        ("https://b.aliyun.com/delay/1", "200"),
        ("https://b.aliyun.com/hello", "404"),
        ("https://a.aliyun.com/status/418", "404"),
    ] {
        let seen = status(url)?;
        ensure!(seen == wanted, "{url}: {seen}, not {wanted}");
    }
    let plain = [
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code} %{redirect_url}",
    ];
    let plain = curl(
        project,
        &[
            &plain[..],
            &["--connect-to", ":80:127.0.0.1:8080", "http://a.aliyun.com/hello"],
        ]
        .concat(),
    )?;
    ensure!(plain == "301 https://a.aliyun.com/hello", "http: {plain}");
    Ok(())
}

/// The serial number of the certificate that a handshake shows.
fn shown() -> Result<String> {
    let mut handshake = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            "127.0.0.1:8443",
            "-servername",
            "a.aliyun.com",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let pipe = handshake.stdout.take().context("no standard output")?;
    let serial = output(
        Command::new("openssl")
            .args(["x509", "-noout", "-serial"])
            .stdin(pipe),
    );
    handshake.wait()?;
    serial
}

fn a_new_certificate_is_served() -> Result<()> {
    let before = shown()?;
    let new = tool(&["renew", CREDENTIAL, "*.aliyun.com"])?;
    ensure!(new != before, "the certificate was not renewed: {new}");
    eventually("the new certificate is shown", || Ok(shown()? == new))?;
    let serial = new.trim_start_matches("serial=").to_lowercase();
    let serial = serial.trim_start_matches('0');
    eventually("`certs` has it", || {
        let certs = output(&mut project(&["exec", "--no-TTY", "agent", "sealgate", "certs"])?)?;
        Ok(certs.contains(serial) && certs.contains("sealgate current"))
    })
}

fn id(service: &str) -> Result<String> {
    output(&mut project(&["ps", "--quiet", service])?)
}

fn an_agent_that_died_is_replaced(project: &Project) -> Result<()> {
    let agent = id("agent")?;
    // Kills the process: Docker does not restart what it kills itself.
    let process = docker(&["inspect", "--format", "{{.State.Pid}}", &agent])?;
    output(Command::new("kill").args(["-KILL", &process]))?;
    hello(project)?;
    eventually("a new agent is healthy", || {
        let state = [
            "inspect",
            "--format",
            "{{.RestartCount}} {{.State.Health.Status}}",
            &agent,
        ];
        Ok(docker(&state)? == "1 healthy")
    })?;
    a_new_certificate_is_served()
}

/// A line of `/proc/PID/status`.
fn status_of(process: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let line = lines.next().with_context(|| format!("no {name}"))?;
    Ok(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn nobody_may_more_than_needed() -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    for (service, user) in [
        ("envoy", "101"),
        ("agent", "65532"),
        ("nginx", "101"),
        ("httpbin", "65532"),
    ] {
        let container = id(service)?;
        let inspect = [
            "inspect",
            "--format",
            "{{.State.Pid}} {{.HostConfig.ReadonlyRootfs}}",
            &container,
        ];
        let seen = docker(&inspect)?;
        let (process, is_read_only) = seen.split_once(' ').context("inspect")?;
        ensure!(is_read_only == "true", "{service}: its root can be written to");
        for (name, wanted) in [
            ("Uid", [user; 4].join(" ")),
            ("CapEff", "0".repeat(16)),
            ("NoNewPrivs", "1".to_owned()),
        ] {
            let seen = status_of(process, name)?;
            ensure!(seen == wanted, "{service}: {name} is {seen}, not {wanted}");
        }
        if service == "agent" {
            let folder = format!("/proc/{process}/root/run/sealgate");
            for (path, wanted) in [(folder.clone(), 0o750), (format!("{folder}/xds.sock"), 0o660)] {
                let seen = fs::metadata(&path)?;
                let seen = (seen.mode() & 0o7777, seen.uid(), seen.gid());
                ensure!(seen == (wanted, 65532, 101), "{path}: {seen:?}");
            }
        }
    }
    let mut write = project(&["exec", "--no-TTY", "envoy", "bash", "-c", "echo > /written"])?;
    if write
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?
        .success()
    {
        bail!("Envoy can write to its root");
    }
    Ok(())
}

pub(super) fn nothing_is_left() -> Result<()> {
    let label = format!("label=com.docker.compose.project={PROJECT}");
    for list in [&["ps", "--all"][..], &["volume", "ls"], &["network", "ls"]] {
        let left = docker(&[list, &["--quiet", "--filter", &label]].concat())?;
        ensure!(left.is_empty(), "{list:?} still has {left}");
    }
    Ok(())
}
