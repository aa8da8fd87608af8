//! Who may connect, and what happens if the file disappears.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Client;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::super::{SocketConfig, bind};
use super::*;

const SOON: Duration = Duration::from_secs(10);
/// A user and groups that do not exist.
const USER: u32 = 54_321;
const GROUP: u32 = 54_322;
const OTHER: u32 = 54_323;

fn config(path: PathBuf, mode: u32, group: Option<u32>) -> SocketConfig {
    SocketConfig {
        path,
        mode,
        group: group.map(|group| group.to_string()),
    }
}

/// Serves connections of permitted peers: each gets a byte.
fn serve(mut socket: Socket) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok(connection) = socket.accept().await {
            let _ = connection.writable().await;
            let _ = connection.try_write(b"y");
        }
    })
}

/// Where the child of [`child`] finds the socket.
const CHILD_SOCKET: &str = "SEALGATE_TEST_CHILD_SOCKET";

/// This program as another user with these groups, who can only read it from standard input.
fn child(path: &Path, gid: u32, groups: &str) -> Child {
    let groups = match groups {
        "" => "--clear-groups".to_owned(),
        groups => format!("--groups={groups}"),
    };
    Command::new("setpriv")
        .args([format!("--reuid={USER}"), format!("--regid={gid}"), groups])
        .args([
            "/proc/self/fd/0",
            "--ignored",
            "a_process_of_somebody_else_connects",
        ])
        .env(CHILD_SOCKET, path)
        .stdin(fs::File::open("/proc/self/exe").unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "is the child of another test"]
#[expect(
    clippy::disallowed_methods,
    reason = "it says what it saw by its exit status, and holds nothing"
)]
fn a_process_of_somebody_else_connects() {
    use std::io::Read as _;
    let Some(path) = std::env::var_os(CHILD_SOCKET) else {
        return;
    };
    let code = match Client::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => BY_THE_KERNEL,
        Err(error) => panic!("{error}"),
        Ok(mut connection) => match connection.read(&mut [0]) {
            Ok(1) => SERVED,
            _ => BY_THE_AGENT,
        },
    };
    std::process::exit(code.unwrap());
}

const SERVED: Option<i32> = Some(2);
const BY_THE_KERNEL: Option<i32> = Some(3);
const BY_THE_AGENT: Option<i32> = Some(4);

/// Needs root, to become another user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_says_who_is_of_the_group_where_others_may_not_connect() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (mode, gid, groups, expected) in [
        (0o660, GROUP, "", SERVED),
        (0o660, OTHER, "54322", SERVED),
        (0o660, OTHER, "54324", BY_THE_KERNEL),
        (0o660, OTHER, "", BY_THE_KERNEL),
        (0o600, GROUP, "", BY_THE_KERNEL),
        (0o666, GROUP, "", SERVED),
        // The kernel has checked nothing, and does not reveal supplementary groups.
        (0o666, OTHER, "54322", BY_THE_AGENT),
        (0o666, OTHER, "", BY_THE_AGENT),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("s");
        let serving = serve(bind(&config(path.clone(), mode, Some(GROUP))).unwrap());
        let mut child = child(&path, gid, groups);
        let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap();
        assert_eq!(status.unwrap().code(), expected, "{mode:o} {gid} [{groups}]");
        serving.abort();
    }
}

#[tokio::test]
async fn of_a_socket_for_all_root_the_own_user_and_the_group_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let mut socket = bind(&config(folder.path().join("s"), 0o666, Some(GROUP))).unwrap();
    assert!(socket.is_for_all());
    let own = rustix::process::geteuid().as_raw();
    for (uid, gid, known) in [
        (0, OTHER, true),
        (own, OTHER, true),
        (USER, GROUP, true),
        (USER, OTHER, false),
        (USER, 0, false),
    ] {
        assert_eq!(socket.knows(uid, gid), known, "{uid}:{gid}");
    }
    assert!(!socket.admits(None), "whoever is nobody is not served");
    socket.place.group = None;
    assert!(!socket.knows(USER, GROUP), "the root group is nobody's");
}

#[tokio::test]
async fn a_socket_that_somebody_opens_to_all_asks_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let socket = bind(&config(path.clone(), 0o660, Some(GROUP))).unwrap();
    assert!(!socket.is_for_all() && socket.admits(None));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(socket.is_for_all() && !socket.admits(None));
}

/// Waits until connections are served there.
async fn answers(path: &Path) {
    let end = tokio::time::Instant::now() + SOON;
    loop {
        if let Ok(connection) = UnixStream::connect(path).await {
            connection.readable().await.unwrap();
            let mut byte = [0];
            assert_eq!(connection.try_read(&mut byte).unwrap(), 1);
            return;
        }
        assert!(tokio::time::Instant::now() < end, "nobody answers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_that_vanishes_is_put_back_with_its_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let serving = serve(bind(&config(path.clone(), 0o640, None)).unwrap());
    answers(&path).await;
    for lock_too in [false, true] {
        fs::remove_file(&path).unwrap();
        if lock_too {
            fs::remove_file(folder.path().join("s.lck")).unwrap();
        }
        answers(&path).await;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(
            matches!(
                bind(&config(path.clone(), 0o600, None)),
                Err(SocketError::Taken(_))
            ),
            "the place is kept: {lock_too}"
        );
    }
    serving.abort();
    let _ = serving.await;
    assert!(!path.exists(), "it is taken off by whoever put it back");
}

#[tokio::test]
async fn what_another_has_put_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mut first = bind(&config(path.clone(), 0o600, None)).unwrap();
    fs::remove_file(&path).unwrap();
    fs::remove_file(folder.path().join("s.lck")).unwrap();
    let second = bind(&config(path.clone(), 0o600, None)).unwrap();
    first.look();
    assert_eq!(second.own_file().map(|file| file.ino()), Some(second.inode));
    // The file is gone, but its agent is not, as the lock shows.
    fs::remove_file(&path).unwrap();
    first.look();
    assert!(
        !path.exists()
            && first
                .said
                .as_ref()
                .is_some_and(|said| said.contains("another agent"))
    );
    drop(second);
    first.look();
    assert!(first.said.is_none() && Client::connect(&path).is_ok());
}

#[tokio::test]
async fn a_folder_that_is_gone_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/s");
    let mut socket = bind(&config(path.clone(), 0o600, None)).unwrap();
    fs::remove_dir_all(folder.path().join("deep")).unwrap();
    socket.look();
    assert!(!folder.path().join("deep").exists() && socket.said.is_some());
}
