use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// Without events, a poll finds what differs, and visiting that again is enough.
#[test]
fn a_poll_finds_what_no_event_told() {
    let base = TempDir::new().unwrap();
    let path = |name: &str| base.path().join(name);
    let pem = |name: &str, text: &str| {
        fs::create_dir_all(path(name)).unwrap();
        fs::write(path(name).join("tls.crt"), text).unwrap();
    };
    pem("same", "a");
    pem("other", "a");
    pem("gone", "a");
    fs::write(path("same.yaml"), "a").unwrap();
    fs::write(path("gone.yaml"), "a").unwrap();
    symlink("same", path("link")).unwrap();
    let mut tree = Tree::scan(base.path()).unwrap();
    assert_eq!(
        tree.suspects(&Tree::scan(base.path()).unwrap()),
        Some(BTreeSet::new())
    );

    pem("other", "longer");
    pem("new/within", "a");
    fs::remove_dir_all(path("gone")).unwrap();
    fs::remove_file(path("gone.yaml")).unwrap();
    fs::write(path("new.yaml"), "a").unwrap();
    fs::remove_file(path("link")).unwrap();
    symlink("other", path("link")).unwrap();
    let now = Tree::scan(base.path()).unwrap();
    let suspects = tree.suspects(&now).unwrap();
    let names: Vec<&str> = suspects
        .iter()
        .filter_map(|visit| visit.path().file_name()?.to_str())
        .collect();
    assert_eq!(
        names,
        ["gone", "gone.yaml", "link", "new", "within", "new.yaml", "other"]
    );
    suspects.iter().for_each(|visit| tree.again(visit));
    assert_eq!(tree.suspects(&now), Some(BTreeSet::new()));

    let root = TempDir::new().unwrap();
    assert_eq!(tree.suspects(&Tree::scan(root.path()).unwrap()), None);
}
