//! A machine for a journey: its own systemd in its own namespaces, on top of this machine's files. Writes go to memory,
//! and are gone when it ends.

use std::env;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail, ensure};

use crate::{namespaces, run};

const SYSTEMD: &str = "/lib/systemd/systemd";
const LIMIT: Duration = Duration::from_secs(600);
/// Units with which systemd would set up the kernel, devices and terminals, which do not belong to this machine.
const MASKED: [&str; 12] = [
    "systemd-sysctl.service",
    "systemd-modules-load.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-logind.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "getty.target",
];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Where the folder of the journey is, for both sides.
pub(super) const FOLDER: &str = "/journey";

/// Checks that nothing is missing to start one.
pub(super) fn can_be_started() -> Result<()> {
    ensure!(Path::new(SYSTEMD).exists(), "{SYSTEMD} is missing");
    group("any").map(drop)?;
    let mut namespace = Command::new("unshare");
    let made = namespace
        .args(["--net", "--mount", "--pid", "--fork", "true"])
        .status();
    ensure!(
        made.is_ok_and(|status| status.success()),
        "namespaces cannot be made (only root may)"
    );
    Ok(())
}

/// The control group of a machine, in version 2, with only its processes.
fn group(name: &str) -> Result<PathBuf> {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let root = roots.iter().find(|root| root.join("cgroup.procs").is_file());
    let root = root.context("control groups of version 2 are missing")?;
    Ok(root.join(name))
}

/// Starts the machine, which runs this program with these arguments; prints its output until it ends.
pub(super) fn run_in(folder: &Path, arguments: &[&str]) -> Result<()> {
    let name = folder.file_name().context("a folder without a name")?;
    let group = group(&name.to_string_lossy())?;
    fs::create_dir_all(&group)?;
    let unshared = namespaces::command();
    let mut command = Command::new("bash");
    command
        .args(["-c", r#"echo $$ > "$0/cgroup.procs" && exec "$@""#])
        .arg(&group)
        .arg(unshared.get_program())
        .args(unshared.get_args())
        .args(["--cgroup", "--ipc", "--uts"])
        .arg(env::current_exe()?)
        .args(arguments)
        .arg("--boot")
        .arg(folder);
    fs::write(folder.join("log"), "")?;
    let console = fs::File::create(folder.join("console"))?;
    let child = command.stdout(console.try_clone()?).stderr(console).spawn()?;
    let mut machine = Machine { child, group };
    let done = machine.follow(folder);
    drop(machine);
    if done.is_err() {
        let console = fs::read_to_string(folder.join("console")).unwrap_or_default();
        let from = console.len().saturating_sub(3000);
        super::shell::say(console.get(from..).unwrap_or(&console));
    }
    done
}

/// It ends with this value, and so does everything in it.
struct Machine {
    child: Child,
    group: PathBuf,
}

impl Machine {
    #[expect(clippy::print_stdout, reason = "what the journey says")]
    fn follow(&mut self, folder: &Path) -> Result<()> {
        let begun = Instant::now();
        let mut log = fs::File::open(folder.join("log"))?;
        loop {
            let ended = self.child.try_wait()?;
            let result = fs::read_to_string(folder.join("result"));
            let mut said = String::new();
            log.read_to_string(&mut said)?;
            print!("{said}");
            match result.as_deref().map(str::trim) {
                Ok("success") => return Ok(()),
                Ok(other) if !other.is_empty() => bail!("the journey ended: {other}"),
                _ => {}
            }
            if let Some(status) = ended {
                bail!("the machine ended: {status}");
            }
            ensure!(begun.elapsed() < LIMIT, "not within {LIMIT:?}");
            sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for _ in 0..50 {
            prune(&self.group);
            if !self.group.exists() {
                return;
            }
            sleep(Duration::from_millis(100));
        }
    }
}

/// Starts at the leaves: a group that contains others cannot be removed.
fn prune(group: &Path) {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    for child in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        prune(&child);
    }
    let _ = fs::remove_dir(group);
}

/// Turns this process's namespaces into the machine, and becomes its systemd, which runs this program with these
/// arguments.
pub(super) fn boot(folder: &Path, arguments: &[&str]) -> Result<()> {
    let root = folder.join("root");
    let own = |path: &str| root.join(path);
    let layer = folder.join("layer");
    for folder in [&root, &layer] {
        fs::create_dir_all(folder)?;
    }
    mount("tmpfs", &[], &layer)?;
    let [upper, work] = ["upper", "work"].map(|name| layer.join(name));
    fs::create_dir(&upper)?;
    fs::create_dir(&work)?;
    let layers = format!(
        "lowerdir=/,upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount("overlay", &["-o", &layers], &root)?;
    mount("proc", &[], &own("proc"))?;
    mount("sysfs", &["-o", "ro"], &own("sys"))?;
    mount("cgroup2", &[], &own("sys/fs/cgroup"))?;
    devices(&own("dev"))?;
    for path in ["run", "tmp", "etc/systemd/system"] {
        let mode = if path == "tmp" { "mode=1777" } else { "mode=755" };
        mount("tmpfs", &["-o", mode], &own(path))?;
    }
    let shared = root.join(FOLDER.trim_start_matches('/'));
    fs::create_dir_all(&shared)?;
    run(Command::new("mount").arg("--bind").arg(folder).arg(&shared))?;
    units(&own("etc/systemd/system"), arguments)?;
    run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    fs::create_dir_all(own("old"))?;
    env::set_current_dir(&root)?;
    run(Command::new("pivot_root").args([".", "old"]))?;
    run(Command::new("umount").args(["--lazy", "/old"]))?;
    let error = Command::new(SYSTEMD)
        .args(["--system", "--log-target=console"])
        .env_clear()
        // Tells systemd not to look for hardware.
        .env("container", "sealgate")
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
        .exec();
    Err(Error::from(error).context(SYSTEMD))
}

fn mount(kind: &str, options: &[&str], at: &Path) -> Result<()> {
    run(Command::new("mount")
        .args(["-t", kind])
        .args(options)
        .arg("none")
        .arg(at))
}

fn devices(folder: &Path) -> Result<()> {
    mount("tmpfs", &["-o", "mode=755"], folder)?;
    for name in DEVICES {
        fs::write(folder.join(name), "")?;
        run(Command::new("mount")
            .arg("--bind")
            .arg(Path::new("/dev").join(name))
            .arg(folder.join(name)))?;
    }
    for (name, kind, mode) in [
        ("shm", "tmpfs", "mode=1777"),
        ("pts", "devpts", "newinstance,ptmxmode=0666"),
    ] {
        fs::create_dir(folder.join(name))?;
        mount(kind, &["-o", mode], &folder.join(name))?;
    }
    for (link, to) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        symlink(to, folder.join(link))?;
    }
    Ok(())
}

/// The only services are those of the journey, and systemd's own.
fn units(folder: &Path, arguments: &[&str]) -> Result<()> {
    for name in MASKED {
        symlink("/dev/null", folder.join(name))?;
    }
    symlink(
        "/lib/systemd/system/multi-user.target",
        folder.join("default.target"),
    )?;
    let program = env::current_exe()?;
    let unit = format!(
        "[Service]\nType=oneshot\nWorkingDirectory={root}\nExecStart={} {} --inside {FOLDER}\nExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT > {FOLDER}/result'\nStandardOutput=append:{FOLDER}/log\nStandardError=inherit\n",
        program.display(),
        arguments.join(" "),
        root = crate::root()?.display(),
    );
    fs::write(folder.join("journey.service"), unit)?;
    let wants = folder.join("multi-user.target.wants");
    fs::create_dir(&wants)?;
    symlink("../journey.service", wants.join("journey.service"))?;
    Ok(())
}
