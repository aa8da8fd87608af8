//! After any change in a directory, following it gives the same result as reading it again: only what changed is
//! visited again, and no change is missed.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sealgate_agent::source::directory::DirectorySource;
use sealgate_model::manifest::Namespaces;
use sealgate_model::{Kind, SourceEvent, SourceObject, Step};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Well below the time between two polls, which would find everything.
const PATIENCE: Duration = Duration::from_secs(4);

/// Two levels of folders below the root (`a` to `c`, in the root and in each other), and one beside it for links to lead to.
#[derive(Clone, Debug)]
enum Op {
    Manifest(usize, u8, u16),
    Pem(usize, u16),
    Folder(usize),
    Remove(usize, u8),
    RemoveFolder(usize),
    Rename(usize, usize),
    LinkFile(usize, u8, usize),
    LinkFolder(usize, usize),
    /// As Kubernetes replaces a volume.
    Swap(usize, u16),
}

fn op() -> impl Strategy<Value = Op> {
    let place = || 0..FOLDERS.len();
    let file = || 0..3_u8;
    prop_oneof![
        3 => (place(), file(), any::<u16>()).prop_map(|(at, file, value)| Op::Manifest(at, file, value)),
        3 => (place(), any::<u16>()).prop_map(|(at, value)| Op::Pem(at, value)),
        2 => place().prop_map(Op::Folder),
        1 => (place(), file()).prop_map(|(at, file)| Op::Remove(at, file)),
        1 => place().prop_map(Op::RemoveFolder),
        2 => (place(), place()).prop_map(|(from, to)| Op::Rename(from, to)),
        2 => (place(), file(), place()).prop_map(|(at, file, to)| Op::LinkFile(at, file, to)),
        2 => (place(), place()).prop_map(|(at, to)| Op::LinkFolder(at, to)),
        2 => (place(), any::<u16>()).prop_map(|(at, value)| Op::Swap(at, value)),
    ]
}

const FOLDERS: [&str; 8] = [
    "root",
    "root/a",
    "root/b",
    "root/a/key",
    "root/b/c",
    "root/a/d",
    "beside",
    "beside/e",
];

fn file(base: &Path, at: usize, file: u8) -> PathBuf {
    base.join(FOLDERS[at]).join(format!("{file}.yaml"))
}

/// What cannot be done (no such folder, something in the way) is not done.
fn perform(base: &Path, op: &Op) {
    let folder = |at: &usize| base.join(FOLDERS[*at]);
    let _ = match op {
        Op::Manifest(at, name, value) => fs::write(
            file(base, *at, *name),
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: s{at}-{name}}}\nspec: {{ports: [{{port: {}}}]}}\n",
                u32::from(*value) + 1
            ),
        ),
        Op::Pem(at, value) => pem(&folder(at), *value),
        Op::Folder(at) => fs::create_dir_all(folder(at)),
        Op::Remove(at, name) => fs::remove_file(file(base, *at, *name)),
        Op::RemoveFolder(at) if *at != 0 => {
            fs::remove_file(folder(at)).or_else(|_| fs::remove_dir_all(folder(at)))
        }
        Op::Rename(from, to) if *from != 0 && *to != 0 => fs::rename(folder(from), folder(to)),
        Op::LinkFile(at, name, to) => symlink(file(base, *to, *name), file(base, *at, *name)),
        Op::LinkFolder(at, to) => symlink(folder(to), folder(at)),
        Op::Swap(at, value) => swap(&folder(at), *value),
        Op::RemoveFolder(_) | Op::Rename(..) => Ok(()),
    };
}

fn pem(folder: &Path, value: u16) -> std::io::Result<()> {
    fs::write(folder.join("tls.crt"), value.to_string())?;
    fs::write(folder.join("tls.key"), value.to_string())
}

fn swap(folder: &Path, value: u16) -> std::io::Result<()> {
    let version = format!("..{value}");
    fs::create_dir(folder.join(&version))?;
    pem(&folder.join(&version), value)?;
    symlink(&version, folder.join("..tmp"))?;
    fs::rename(folder.join("..tmp"), folder.join("..data"))?;
    for key in ["tls.crt", "tls.key"] {
        let _ = symlink(format!("..data/{key}"), folder.join(key));
    }
    Ok(())
}

/// Objects alone: a file that turned bad keeps the objects that it had, which a fresh look cannot know.
fn objects(entries: impl IntoIterator<Item = SourceObject>) -> BTreeMap<String, SourceObject> {
    let named = entries
        .into_iter()
        .map(|entry| (entry.object_ref.to_string(), entry));
    named
        .filter(|(_, entry)| entry.object_ref.kind != Kind::File)
        .collect()
}

#[derive(Default)]
struct Followed(BTreeMap<String, SourceObject>);

impl Followed {
    fn take(&mut self, step: Step) {
        for event in step {
            match event {
                SourceEvent::Reset(entries) => {
                    self.0 = entries
                        .into_iter()
                        .map(|entry| (entry.object_ref.to_string(), entry))
                        .collect();
                }
                SourceEvent::Apply(entry) => drop(self.0.insert(entry.object_ref.to_string(), entry)),
                SourceEvent::Delete(name) => drop(self.0.remove(&name.to_string())),
            }
        }
    }

    /// Whether it is what a fresh look gives, as far as that can know.
    fn agrees(&self, fresh: &[SourceObject]) -> bool {
        let is_doubtful = |entry: &SourceObject| entry.object_ref.kind == Kind::File;
        let fresh_objects = objects(fresh.to_vec());
        if fresh.iter().any(is_doubtful) {
            let files = |entries: &mut dyn Iterator<Item = &SourceObject>| {
                entries.filter(|entry| is_doubtful(entry)).count()
            };
            return fresh_objects.keys().all(|name| self.0.contains_key(name))
                && files(&mut self.0.values()) >= files(&mut fresh.iter());
        }
        objects(self.0.values().cloned()) == fresh_objects && !self.0.values().any(is_doubtful)
    }
}

fn check(ops: &[Op]) {
    let base = TempDir::new().unwrap();
    fs::create_dir_all(base.path().join("root")).unwrap();
    fs::create_dir_all(base.path().join("beside/e")).unwrap();
    let source = DirectorySource {
        root: base.path().join("root"),
        namespaces: Namespaces {
            gateway: "gw".to_owned(),
            other: "default",
        },
        settled: |secret| secret.data.get("tls.crt") == secret.data.get("tls.key"),
    };
    let (sender, mut steps) = unbounded_channel();
    source.clone().spawn(sender).unwrap();
    let mut followed = Followed::default();
    for op in ops {
        perform(base.path(), op);
        await_agreement(&source, &mut steps, &mut followed, op);
    }
}

fn await_agreement(
    source: &DirectorySource,
    steps: &mut UnboundedReceiver<Step>,
    followed: &mut Followed,
    op: &Op,
) {
    let end = Instant::now() + PATIENCE;
    loop {
        while let Ok(step) = steps.try_recv() {
            followed.take(step);
        }
        let fresh = source.read_once().unwrap();
        if followed.agrees(&fresh) {
            return;
        }
        assert!(
            Instant::now() < end,
            "after {op:?}:\nfollowed {:#?}\nfresh {fresh:#?}",
            followed.0
        );
        thread::sleep(Duration::from_millis(2));
    }
}

/// A name that is both a value of a Secret and that of a folder, as it becomes one after the other.
#[test]
fn a_value_may_become_a_folder_and_a_folder_a_value() {
    let (above, key, other) = (1, 3, 7);
    let start = [Op::Folder(above)];
    for ops in [
        // A link that leads to itself.
        vec![
            Op::Pem(above, 1),
            Op::LinkFolder(key, key),
            Op::Pem(above, 2),
            Op::RemoveFolder(key),
        ],
        // A link that leads nowhere, then to a folder, then nowhere.
        vec![
            Op::Pem(above, 1),
            Op::RemoveFolder(other),
            Op::LinkFolder(key, other),
            Op::Folder(other),
            Op::Pem(other, 3),
            Op::Manifest(other, 0, 4),
            Op::RemoveFolder(other),
            Op::Pem(above, 5),
        ],
        // What a link leads to moves into the folder that holds the link.
        vec![
            Op::RemoveFolder(key),
            Op::Swap(other, 8),
            Op::LinkFolder(key, other),
            Op::Rename(6, 5),
        ],
        // A folder, then a link in its place.
        vec![
            Op::Folder(key),
            Op::Pem(key, 6),
            Op::RemoveFolder(key),
            Op::LinkFolder(key, other),
            Op::Pem(other, 7),
        ],
    ] {
        check(&[start.to_vec(), ops].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn what_is_followed_is_what_a_fresh_look_gives(ops in proptest::collection::vec(op(), 1..40)) {
        check(&ops);
    }
}
