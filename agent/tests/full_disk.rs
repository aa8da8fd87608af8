//! A full disk, and permissions that are revoked and restored: a running agent, as a separate user if possible.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
const NOBODY: u32 = 65534;

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(folder: &Path, socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealgate"));
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    command
        .args(["run"])
        .arg(format!("--source=dir:{}", folder.join("objects").display()))
        .arg(format!("--socket={}", socket.display()))
        .arg(format!("--filter={}", folder.join("filter.wasm").display()))
        .env("SEALGATE_ADMIN", "off")
        .stdout(Stdio::null())
        .stderr(log);
    command
}

fn prepare() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("objects")).unwrap();
    let module = [&b"\0asm"[..], &vec![b'x'; 256 * 1024]].concat();
    fs::write(folder.path().join("filter.wasm"), module).unwrap();
    folder
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn log(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("log")).unwrap()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Unmounts when it ends.
struct SmallDisk<'d>(&'d Path);

impl<'d> SmallDisk<'d> {
    /// A file system with room for one module and no two; none where nobody may mount one.
    fn mount(path: &'d Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=400k", "none"])
            .arg(path)
            .status();
        (is_root() && mount.is_ok_and(|status| status.success())).then_some(Self(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_leaves_no_half_module_and_stops_no_agent_that_has_one() {
    let folder = prepare();
    let disk_path = folder.path().join("disk");
    let Some(disk) = SmallDisk::mount(&disk_path) else {
        // Where nobody may mount one there is no full disk to be had.
        return;
    };
    let socket = disk.0.join("xds.sock");
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![0; 300 * 1024]).unwrap();
    let mut refused = command(folder.path(), &socket).spawn().unwrap();
    assert_eq!(refused.wait().unwrap().code(), Some(2), "{}", log(&folder));
    let left = names(disk.0);
    assert!(!left.iter().any(|name| name.contains("filter")), "{left:?}");
    // Room for one: it starts, though an agent that was killed left half of one.
    fs::remove_file(&filler).unwrap();
    let first = Agent(command(folder.path(), &socket).spawn().unwrap());
    eventually("the first agent is ready", || log(&folder).contains("ready"));
    drop(first);
    let module = names(disk.0)
        .into_iter()
        .find(|name| name.ends_with(".wasm"))
        .unwrap();
    fs::write(disk.0.join(module.replace(".wasm", ".new")), b"half").unwrap();
    fs::write(folder.path().join("log"), "").unwrap();
    // And with the disk full once more, for the module is there.
    let _ = fs::write(&filler, vec![0; 400 * 1024]);
    let second = Agent(command(folder.path(), &socket).spawn().unwrap());
    eventually("another agent is ready on a full disk", || {
        log(&folder).contains("ready")
    });
    drop(second);
}

const GATEWAY: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {selector: {istio: ingressgateway}, servers: [{port: {number: 8123, name: http, protocol: HTTP}, hosts: ['*']}]}\n";

/// What may not be read, and how it is said.
#[test]
fn what_may_be_read_again_is_unreadable_no_more() {
    if !is_root() {
        // Nobody else may become another user, and take rights off it.
        return;
    }
    let folder = prepare();
    let objects = folder.path().join("objects");
    let outside = folder.path().join("outside");
    for path in [&objects.join("inner"), &outside] {
        fs::create_dir(path).unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for path in ["file.yaml", "inner/deep.yaml", "../outside/linked.yaml"] {
        fs::write(
            objects.join(path),
            GATEWAY.replace("name: a", &format!("name: n{}", path.len())),
        )
        .unwrap();
    }
    std::os::unix::fs::symlink(outside.join("linked.yaml"), objects.join("link.yaml")).unwrap();
    let all = [objects.join("file.yaml"), objects.join("inner"), outside];
    let may = |mode| {
        let set = |path: &_| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        all.iter().for_each(set);
    };
    may(0o000);
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = command(folder.path(), &folder.path().join("xds.sock"));
    command.arg(format!("--admin={admin}"));
    let agent = Agent(command.uid(NOBODY).gid(NOBODY).spawn().unwrap());
    let count = |code: &str| {
        let mut stream = TcpStream::connect(admin).ok()?;
        stream.write_all(b"GET /api/status HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text.matches(code).count())
    };
    eventually("three are unreadable", || count("\"unreadable\"") == Some(3));
    may(0o755);
    eventually("all are read", || count("\"unreadable\"") == Some(0));
    // Folders that could not be watched are now: sooner than a poll would see it.
    let began = Instant::now();
    fs::write(objects.join("inner/deep.yaml"), "a: [").unwrap();
    fs::write(objects.join("../outside/linked.yaml"), "a: [").unwrap();
    eventually("changes are seen", || count("\"invalid-yaml\"") == Some(2));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop(agent);
}
