//! Who may read the agent's files does not depend on its umask.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
const GATEWAY: &str = "{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: a}, spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 8123, name: http, protocol: HTTP}, hosts: ['*']}]}}";

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn prepare() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("objects")).unwrap();
    fs::write(folder.path().join("objects/gateway.yaml"), GATEWAY).unwrap();
    fs::write(folder.path().join("filter.wasm"), b"\0asm").unwrap();
    folder
}

/// An agent with this umask, once it has claims and a socket.
fn start(folder: &Path, umask: &str, socket_mode: &str) -> Agent {
    let log = fs::File::create(folder.join("log")).unwrap();
    let agent = Command::new("sh")
        .args(["-c", "umask \"$0\" && exec \"$@\"", umask])
        .args([env!("CARGO_BIN_EXE_sealgate"), "run", "--admin=off"])
        .arg(format!("--source=dir:{}", folder.join("objects").display()))
        .arg(format!("--socket={}", folder.join("run/in/xds.sock").display()))
        .arg(format!("--socket-mode={socket_mode}"))
        .arg(format!("--filter={}", folder.join("filter.wasm").display()))
        .arg(format!("--state-dir={}", folder.join("state/in").display()))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let agent = Agent(agent.unwrap());
    let deadline = Instant::now() + LIMIT;
    let claims = folder.join("state/in/claims.jsonl");
    let has_claims = || fs::metadata(&claims).is_ok_and(|claims| claims.len() > 0);
    while !(folder.join("run/in/xds.sock").exists() && has_claims()) {
        let log = fs::read_to_string(folder.join("log")).unwrap();
        assert!(Instant::now() < deadline, "{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
    agent
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn module(folder: &Path) -> PathBuf {
    let mut paths = fs::read_dir(folder.join("run/in")).unwrap();
    let mut modules = paths.by_ref().map(|entry| entry.unwrap().path());
    modules
        .find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .unwrap()
}

/// Everything below a folder that somebody else than its owner may use.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let below = fs::read_dir(folder).unwrap().flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            open_to_others(&path)
        } else {
            Vec::from_iter((mode(&path) & 0o077 != 0).then_some(path))
        }
    });
    let own = (mode(folder) & 0o077 != 0).then(|| folder.to_owned());
    below.chain(own).collect()
}

#[test]
fn the_umask_decides_nothing() {
    for umask in ["077", "000"] {
        let folder = prepare();
        let agent = start(folder.path(), umask, "0660");
        for (path, wanted) in [
            // Of the socket's group, which is Envoy's; and nobody else may put another filter there.
            (folder.path().join("run"), 0o750),
            (folder.path().join("run/in"), 0o750),
            (folder.path().join("run/in/xds.sock"), 0o660),
            (module(folder.path()), 0o644),
        ] {
            assert_eq!(mode(&path), wanted, "umask {umask}: {}", path.display());
        }
        let open = open_to_others(&folder.path().join("state"));
        assert!(open.is_empty(), "umask {umask}: {open:?}");
        drop(agent);
    }
}

#[test]
fn the_folder_is_open_to_whom_the_socket_is() {
    for (socket_mode, wanted) in [("0600", 0o700), ("0666", 0o755)] {
        let folder = prepare();
        let agent = start(folder.path(), "022", socket_mode);
        assert_eq!(mode(&folder.path().join("run/in")), wanted, "{socket_mode}");
        drop(agent);
    }
}

#[test]
fn a_filter_that_envoy_cannot_read_is_made_readable_and_a_folder_that_is_there_stays_as_it_is() {
    let folder = prepare();
    drop(start(folder.path(), "022", "0660"));
    let (module, place) = (module(folder.path()), folder.path().join("run/in"));
    fs::set_permissions(&module, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o711)).unwrap();
    fs::remove_file(place.join("xds.sock")).unwrap();
    let agent = start(folder.path(), "077", "0660");
    assert_eq!((mode(&module), mode(&place)), (0o644, 0o711));
    drop(agent);
}
