//! The directory source on a real file system.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use sealgate_agent::kept::unread::KeptUnread;
use sealgate_agent::source::directory::DirectorySource;
use sealgate_model::manifest::Namespaces;
use sealgate_model::{Kind, Object, SecretObject, SourceEvent, SourceObject, Step};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

fn source(root: &Path) -> DirectorySource {
    let namespaces = Namespaces {
        gateway: "gw".to_owned(),
        other: "default",
    };
    // Whole is what has equal halves: a stand-in for a certificate and its key.
    let settled = |secret: &SecretObject| secret.data.get("tls.crt") == secret.data.get("tls.key");
    DirectorySource {
        root: root.to_owned(),
        namespaces,
        settled,
    }
}

fn follow(root: &Path) -> UnboundedReceiver<Step> {
    let (sender, receiver) = unbounded_channel();
    source(root).spawn(sender).unwrap();
    receiver
}

async fn step(receiver: &mut UnboundedReceiver<Step>) -> Step {
    tokio::time::timeout(Duration::from_secs(5), receiver.recv())
        .await
        .unwrap()
        .unwrap()
}

/// A step of one event.
async fn next(receiver: &mut UnboundedReceiver<Step>) -> SourceEvent {
    let mut step = step(receiver).await;
    assert_eq!(step.len(), 1, "{step:?}");
    step.remove(0)
}

async fn applied(receiver: &mut UnboundedReceiver<Step>) -> SourceObject {
    match next(receiver).await {
        SourceEvent::Apply(entry) => entry,
        other => panic!("{other:?}"),
    }
}

/// A step in which the file `s.yaml` breaks: what it holds cannot be read any more, and why.
async fn breaks(receiver: &mut UnboundedReceiver<Step>) -> SourceObject {
    let step = step(receiver).await;
    let [SourceEvent::Apply(object), SourceEvent::Apply(file)] = &step[..] else {
        panic!("{step:?}")
    };
    assert!(
        object.is_unread() && object.object_ref.to_string() == "Service default/a",
        "{step:?}"
    );
    assert_eq!(file.object_ref.to_string(), "File s.yaml");
    file.clone()
}

/// A step in which it is mended.
async fn is_mended(receiver: &mut UnboundedReceiver<Step>) {
    let step = step(receiver).await;
    let [SourceEvent::Apply(object), SourceEvent::Delete(file)] = &step[..] else {
        panic!("{step:?}")
    };
    assert!(object.object.is_some(), "{step:?}");
    assert_eq!(file.to_string(), "File s.yaml");
}

fn pair(folder: &Path, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("tls.crt"), text).unwrap();
    fs::write(folder.join("tls.key"), text).unwrap();
}

fn text_of(entry: &SourceObject) -> String {
    let Some(Object::Secret(secret)) = &entry.object else {
        panic!("{entry:?}")
    };
    String::from_utf8(secret.data["tls.key"].to_vec()).unwrap()
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n";

#[tokio::test]
async fn a_pair_that_changes_in_place_arrives_whole() {
    let folder = TempDir::new().unwrap();
    pair(&folder.path().join("a"), "old");
    let mut events = follow(folder.path());
    assert!(matches!(next(&mut events).await, SourceEvent::Reset(entries) if entries.len() == 1));
    fs::write(folder.path().join("a/tls.crt"), "new").unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    fs::write(folder.path().join("a/tls.key"), "new").unwrap();
    assert_eq!(text_of(&applied(&mut events).await), "new");
}

/// Cert and key are short names of files of a Secret, and may be the name of one.
#[tokio::test]
async fn a_secret_may_be_called_as_a_file_of_one_is() {
    const NAMES: [&str; 4] = ["cacert", "cert", "crl", "key"];
    let folder = TempDir::new().unwrap();
    let names = |entries: &[SourceObject]| -> Vec<String> {
        let secrets = entries.iter().map(|entry| entry.object_ref.name.to_string());
        secrets.collect()
    };
    for name in NAMES {
        pair(&folder.path().join(name), name);
    }
    let mut entries = source(folder.path()).read_once().unwrap();
    entries.sort_by_key(|entry| entry.object_ref.to_string());
    assert_eq!(names(&entries), NAMES);
    assert!(
        entries
            .iter()
            .all(|entry| text_of(entry) == *entry.object_ref.name)
    );

    // Beside the files of another one, and while it is followed.
    pair(&folder.path().join("other"), "other");
    let mut events = follow(folder.path());
    assert!(matches!(next(&mut events).await, SourceEvent::Reset(entries) if entries.len() == 5));
    pair(&folder.path().join("other/within/key"), "moved");
    fs::rename(
        folder.path().join("other/within/key"),
        folder.path().join("other/key"),
    )
    .unwrap();
    fs::remove_dir_all(folder.path().join("key")).unwrap();
    loop {
        let entry = applied(&mut events).await;
        if &*entry.object_ref.name == "key" && text_of(&entry) == "moved" {
            break;
        }
    }
}

#[tokio::test]
async fn a_mounted_secret_is_swapped_as_kubernetes_does() {
    let folder = TempDir::new().unwrap();
    let mount = folder.path().join("a");
    pair(&mount.join("..1"), "old");
    symlink("..1", mount.join("..data")).unwrap();
    for key in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{key}"), mount.join(key)).unwrap();
    }
    let mut events = follow(folder.path());
    assert!(matches!(next(&mut events).await, SourceEvent::Reset(entries) if text_of(&entries[0]) == "old"));
    pair(&mount.join("..2"), "new");
    symlink("..2", mount.join("..tmp")).unwrap();
    fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
    assert_eq!(text_of(&applied(&mut events).await), "new");
}

#[tokio::test]
async fn files_come_and_go() {
    let folder = TempDir::new().unwrap();
    let mut events = follow(folder.path());
    assert!(matches!(next(&mut events).await, SourceEvent::Reset(entries) if entries.is_empty()));
    fs::write(folder.path().join("s.yaml"), SERVICE).unwrap();
    assert!(applied(&mut events).await.object.is_some());
    fs::write(folder.path().join("new"), SERVICE.replace("80", "81")).unwrap();
    fs::rename(folder.path().join("new"), folder.path().join("s.yaml")).unwrap();
    assert!(applied(&mut events).await.object.is_some());
    fs::remove_file(folder.path().join("s.yaml")).unwrap();
    assert!(
        matches!(next(&mut events).await, SourceEvent::Delete(name) if name.to_string() == "Service default/a")
    );
}

#[tokio::test]
async fn the_objects_of_a_file_come_at_once() {
    let folder = TempDir::new().unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    let many: Vec<String> = (0..50)
        .map(|at| SERVICE.replace("name: a", &format!("name: a{at}")))
        .collect();
    fs::write(folder.path().join("s.yaml"), many.join("\n---\n")).unwrap();
    assert_eq!(step(&mut events).await.len(), 50);
}

#[tokio::test]
async fn a_broken_file_keeps_its_objects() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("s.yaml"), SERVICE).unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    fs::write(folder.path().join("s.yaml"), "a: [").unwrap();
    assert_eq!(
        breaks(&mut events).await.findings[0].code.as_str(),
        "invalid-yaml"
    );
    fs::write(folder.path().join("s.yaml"), SERVICE).unwrap();
    is_mended(&mut events).await;
    // Mended without it.
    fs::write(folder.path().join("s.yaml"), "a: [").unwrap();
    breaks(&mut events).await;
    fs::write(folder.path().join("s.yaml"), "# nothing is left\n").unwrap();
    assert_eq!(
        deleted(&step(&mut events).await),
        ["Service default/a", "File s.yaml"]
    );
}

fn deleted(step: &Step) -> Vec<String> {
    let names = step.iter().map(|event| match event {
        SourceEvent::Delete(name) => name.to_string(),
        other => panic!("{other:?}"),
    });
    names.collect()
}

/// What is in a file that cannot be read is another's once that can be read, and has it too.
#[tokio::test]
async fn what_can_be_read_stands_before_what_cannot() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("s.yaml"), SERVICE).unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    fs::write(folder.path().join("s.yaml"), "a: [").unwrap();
    breaks(&mut events).await;
    fs::write(folder.path().join("t.yaml"), SERVICE.replace("80", "81")).unwrap();
    let moved = applied(&mut events).await;
    assert!(moved.object.is_some() && moved.findings.is_empty(), "{moved:?}");
    fs::remove_file(folder.path().join("t.yaml")).unwrap();
    let held = applied(&mut events).await;
    assert!(
        held.is_unread(),
        "it is still a file's that cannot be read: {held:?}"
    );
}

/// A source that starts anew with what the one before it kept of what it could not read.
struct Anew {
    folder: TempDir,
    state: TempDir,
}

impl Anew {
    /// A source saw all of this break: a file, a document of two, a folder, and a Secret's.
    async fn start() -> Self {
        let anew = Self {
            folder: TempDir::new().unwrap(),
            state: TempDir::new().unwrap(),
        };
        let root = anew.folder.path();
        let service = |name: &str| SERVICE.replace("name: a", &format!("name: {name}"));
        fs::write(root.join("s.yaml"), SERVICE).unwrap();
        fs::write(
            root.join("two.yaml"),
            service("read") + "---\n" + &service("unread"),
        )
        .unwrap();
        pair(&root.join(".inside"), "x");
        fs::write(root.join(".inside/inside.yaml"), service("inside")).unwrap();
        symlink(".inside", root.join("inside")).unwrap();
        let mut events = anew.follow();
        next(&mut events).await;
        fs::write(root.join("s.yaml"), "a: [").unwrap();
        fs::write(root.join("two.yaml"), service("read") + "---\na: [").unwrap();
        symlink("inside", root.join(".loop")).unwrap();
        fs::rename(root.join(".loop"), root.join("inside")).unwrap();
        let mut unread = Vec::new();
        while unread.len() < 4 {
            for event in step(&mut events).await {
                if let SourceEvent::Apply(entry) = event
                    && entry.is_unread()
                {
                    unread.push(entry.object_ref.to_string());
                }
            }
        }
        unread.sort_unstable();
        assert_eq!(unread, UNREAD);
        // What this source sees from now on it does not keep there: it ends with its next event.
        let state = TempDir::new().unwrap();
        fs::create_dir(state.path().join("files")).unwrap();
        for entry in fs::read_dir(anew.state.path().join("files")).unwrap() {
            let file = entry.unwrap();
            fs::copy(file.path(), state.path().join("files").join(file.file_name())).unwrap();
        }
        Self { state, ..anew }
    }

    /// Of the same folder, with what was kept.
    fn follow(&self) -> UnboundedReceiver<Step> {
        let (sender, receiver) = unbounded_channel();
        let kept = KeptUnread::open(self.state.path()).unwrap();
        source(self.folder.path()).follow(sender, Some(kept)).unwrap();
        receiver
    }

    /// Objects of the first list, each with whether it can be read.
    async fn first(events: &mut UnboundedReceiver<Step>) -> Vec<(String, bool)> {
        let SourceEvent::Reset(entries) = next(events).await else {
            panic!("no first list")
        };
        let objects = entries.iter().filter(|entry| entry.object_ref.kind != Kind::File);
        let mut objects: Vec<_> = objects
            .map(|entry| (entry.object_ref.to_string(), entry.object.is_some()))
            .collect();
        objects.sort_unstable();
        objects
    }
}

const UNREAD: [&str; 4] = [
    "Secret gw/inside",
    "Service default/a",
    "Service default/inside",
    "Service default/unread",
];

#[tokio::test]
async fn what_cannot_be_read_is_known_when_a_source_starts_anew() {
    let anew = Anew::start().await;
    for _ in 0..2 {
        let mut events = anew.follow();
        let mut expected: Vec<_> = UNREAD.map(|name| (name.to_owned(), false)).into();
        expected.insert(3, ("Service default/read".to_owned(), true));
        assert_eq!(Anew::first(&mut events).await, expected);
    }
}

#[tokio::test]
async fn what_is_gone_when_a_source_starts_anew_is_not_known() {
    let anew = Anew::start().await;
    let root = anew.folder.path();
    fs::remove_file(root.join("s.yaml")).unwrap();
    fs::remove_file(root.join("inside")).unwrap();
    fs::write(
        root.join("elsewhere.yaml"),
        SERVICE.replace("name: a", "name: unread"),
    )
    .unwrap();
    let mut events = anew.follow();
    let expected = ["Service default/read", "Service default/unread"].map(|name| (name.to_owned(), true));
    assert_eq!(Anew::first(&mut events).await, expected);
    // It is forgotten for good, but for what a file still holds that cannot be read.
    fs::remove_file(root.join("elsewhere.yaml")).unwrap();
    assert!(applied(&mut events).await.is_unread());
    fs::remove_file(root.join("two.yaml")).unwrap();
    let names = ["Service default/read", "Service default/unread", "File two.yaml"];
    assert_eq!(deleted(&step(&mut events).await), names);
    assert!(KeptUnread::open(anew.state.path()).unwrap().1.is_empty());
}

#[test]
fn bad_files_are_named_and_stop_nothing() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("good.yaml"), SERVICE).unwrap();
    fs::write(path("twice.yaml"), SERVICE).unwrap();
    fs::write(path("bytes.yaml"), b"\xff").unwrap();
    fs::File::create(path("large.yaml"))
        .unwrap()
        .set_len(100 * 1024 * 1024)
        .unwrap();
    symlink("loop.yaml", path("loop.yaml")).unwrap();
    fs::create_dir(path("round")).unwrap();
    symlink("..", path("round/and-round")).unwrap();
    // As root nothing is unreadable by its permissions; what leads nowhere is.
    symlink("nowhere.yaml", path("dangling.yaml")).unwrap();
    symlink("/dev/zero", path("endless.yaml")).unwrap();
    fs::create_dir_all(path("folder/tls.crt")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(path("fifo.yaml"))
            .status()
            .unwrap()
            .success()
    );
    let entries = source(folder.path()).read_once().unwrap();
    let mut found: Vec<String> = entries
        .iter()
        .flat_map(|entry| &entry.findings)
        .map(|finding| format!("{} {}", finding.object, finding.code))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "File bytes.yaml invalid-utf8",
            "File dangling.yaml unreadable",
            "File endless.yaml not-a-file",
            "File fifo.yaml not-a-file",
            "File large.yaml file-too-large",
            "File loop.yaml link-loop",
            "File round/and-round link-loop",
            "Secret gw/folder not-a-file",
            "Service default/a duplicate-object",
        ]
    );
    assert!(entries.iter().any(|entry| entry.object.is_some()));
    assert!(source(&path("missing")).read_once().is_err());
}

#[tokio::test]
async fn reading_does_not_wake_it() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("s.yaml"), SERVICE).unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    for _ in 0..20 {
        fs::read(folder.path().join("s.yaml")).unwrap();
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(100), events.recv())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_file_that_is_empty_for_a_moment_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.yaml");
    fs::write(&path, SERVICE).unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    let mut file = fs::File::create(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    std::io::Write::write_all(&mut file, SERVICE.replace("80", "81").as_bytes()).unwrap();
    drop(file);
    assert!(applied(&mut events).await.object.is_some());
}

#[tokio::test]
async fn a_file_that_is_cut_off_and_still_yaml_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.yaml");
    fs::write(&path, SERVICE).unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    for half in ["apiVer", "apiVersion: v1\n"] {
        fs::write(&path, half).unwrap();
        let broken = breaks(&mut events).await;
        assert_eq!(broken.findings[0].code.as_str(), "not-an-object");
        fs::write(&path, SERVICE).unwrap();
        is_mended(&mut events).await;
    }
}

#[test]
fn the_first_list_is_in_the_order_of_the_paths() {
    let folder = TempDir::new().unwrap();
    for (path, name) in [("1.yaml", "name: z"), ("2.yaml", "name: a")] {
        fs::write(folder.path().join(path), SERVICE.replace("name: a", name)).unwrap();
    }
    let entries = source(folder.path()).read_once().unwrap();
    let names: Vec<String> = entries.iter().map(|entry| entry.object_ref.to_string()).collect();
    assert_eq!(names, ["Service default/z", "Service default/a"]);
}

fn codes(entries: &[SourceObject]) -> Vec<String> {
    let findings = entries.iter().flat_map(|entry| &entry.findings);
    findings
        .map(|finding| format!("{} {}", finding.object, finding.code))
        .collect()
}

/// Well above what it takes, and far below what all of it would.
const BOUNDED: Duration = Duration::from_secs(20);

#[test]
fn links_to_the_whole_machine_end_somewhere() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("objects");
    let huge = folder.path().join("huge");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("s.yaml"), SERVICE).unwrap();
    for at in 0..21 {
        fs::create_dir_all(huge.join(at.to_string())).unwrap();
        (0..1000).for_each(|file| drop(fs::File::create(huge.join(format!("{at}/{file}"))).unwrap()));
    }
    symlink("../huge", root.join("a")).unwrap();
    let began = Instant::now();
    let found = source(&root).read_once().unwrap();
    assert_eq!(
        codes(&found),
        ["File a/8 too-many-links", "File a/9 too-many-links"]
    );
    symlink("/", root.join("z")).unwrap();
    let found = source(&root).read_once().unwrap();
    assert!(began.elapsed() < BOUNDED, "{:?}", began.elapsed());
    assert!(
        codes(&found).iter().any(|code| code.starts_with("File z")),
        "{found:?}"
    );
    assert!(found.iter().any(|entry| entry.object.is_some()));
}

#[test]
fn links_that_multiply_end_somewhere() {
    let folder = TempDir::new().unwrap();
    // Each level leads to the next by three ways: 3^11 paths to the last.
    for level in 0..11 {
        let own = folder.path().join(format!("{level}"));
        fs::create_dir(&own).unwrap();
        for link in ["a", "b", "c"] {
            symlink(format!("../{}", level + 1), own.join(link)).unwrap();
        }
    }
    fs::create_dir(folder.path().join("11")).unwrap();
    fs::write(folder.path().join("11/s.yaml"), SERVICE).unwrap();
    for at in 0..100 {
        symlink("11/s.yaml", folder.path().join(format!("{at}.yaml"))).unwrap();
    }
    let began = Instant::now();
    let found = source(folder.path()).read_once().unwrap();
    assert!(began.elapsed() < BOUNDED, "{:?}", began.elapsed());
    let is_bounded = |code: &&String| code.ends_with("too-many-links");
    assert!(codes(&found).iter().filter(is_bounded).count() > 100, "{found:?}");
    assert!(found.iter().any(|entry| entry.object.is_some()));
}

#[tokio::test]
async fn after_a_storm_of_writes_the_last_one_arrives_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.yaml");
    fs::write(&path, SERVICE).unwrap();
    let mut events = follow(folder.path());
    next(&mut events).await;
    let (own, files) = (path.clone(), folder.path().to_owned());
    let storm = std::thread::spawn(move || {
        // 600 a second, on one file and on others.
        for at in 0..1800_u32 {
            let text = SERVICE.replace("80", &(at + 1).to_string());
            let other = text.replace("name: a", &format!("name: b{}", at % 50));
            fs::write(&own, text).unwrap();
            fs::write(files.join(format!("{}.yaml", at % 50)), other).unwrap();
            std::thread::sleep(Duration::from_micros(1600));
        }
        fs::write(own, SERVICE.replace("80", "65535")).unwrap();
        Instant::now()
    });
    let mut last = None;
    while last.is_none() {
        for event in step(&mut events).await {
            let SourceEvent::Apply(entry) = event else {
                continue;
            };
            if format!("{:?}", entry.object).contains("65535") {
                last = Some(Instant::now());
            }
        }
    }
    let took = last.unwrap().saturating_duration_since(storm.join().unwrap());
    assert!(took < Duration::from_secs(1), "{took:?}");
}
