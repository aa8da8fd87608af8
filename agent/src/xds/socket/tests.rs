//! Which places a socket may have.

use super::*;

fn config(path: PathBuf) -> SocketConfig {
    SocketConfig {
        path,
        mode: 0o600,
        group: None,
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = bind(&config(path.clone())).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(bind(&config(path.clone())), Err(SocketError::Taken(_))));
    drop(first);
    assert!(!path.exists());
    assert!(bind(&config(path)).is_ok());
}

#[tokio::test]
async fn what_is_not_a_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        bind(&config(path.clone())),
        Err(SocketError::NotASocket(_))
    ));
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_that_is_too_long_is_said_so() {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(103)));
    assert!(matches!(bind(&config(path)), Err(SocketError::TooLong(_, 108))));
}

#[tokio::test]
async fn the_longest_path_that_a_socket_can_have_is_good() {
    let folder = tempfile::tempdir().unwrap();
    for last in ["x", "~"] {
        let room = LONGEST_PATH - folder.path().as_os_str().len() - 2;
        let path = folder.path().join("x".repeat(room) + last);
        assert_eq!(path.as_os_str().len(), LONGEST_PATH);
        let bound = bind(&config(path.clone())).unwrap();
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(bound);
    }
}

#[tokio::test]
async fn a_socket_is_the_owners_alone_before_it_is_anybody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = listen(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & !0o600, 0, "{mode:o}");
    drop(listener);
}

#[test]
fn groups_are_names_or_numbers() {
    assert_eq!(group_id("12").ok(), Some(12));
    assert_eq!(group_id("root").ok(), Some(0));
    assert!(group_id("no such group").is_err());
}
