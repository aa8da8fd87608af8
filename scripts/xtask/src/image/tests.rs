//! Reads archives back: checks their contents, and that these are always the same.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest, MediaType};
use tar::Archive;

use super::elf::{self, Arch};
use super::layer::{Tree, digest};
use super::{Packed, agent, agent_files, filter};

/// A file of an archive: type, mode, owner, time, content.
type Member = (bool, u32, u64, u64, u64, Vec<u8>);

fn members(archive: &[u8]) -> BTreeMap<String, Member> {
    let mut archive = Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        let facts = (
            header.entry_type().is_file(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
        );
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, (facts.0, facts.1, facts.2, facts.3, facts.4, content))
    });
    entries.collect()
}

struct Unpacked {
    manifest: ImageManifest,
    config: ImageConfiguration,
    files: BTreeMap<String, Member>,
}

/// Follows an archive from its index to the files of its layer, and checks every digest and size.
fn unpacked(packed: &Packed) -> Unpacked {
    let archive = members(&packed.archive);
    let file = |name: &str| archive[name].5.as_slice();
    for (path, member) in archive
        .iter()
        .filter(|(path, _)| path.starts_with("blobs/sha256/"))
    {
        if member.0 {
            assert_eq!(*path, format!("blobs/{}", digest(&member.5).replace(':', "/")));
        }
    }
    let blob = |descriptor: &oci_spec::image::Descriptor| {
        let blob = file(&format!(
            "blobs/{}",
            descriptor.digest().to_string().replace(':', "/")
        ));
        assert_eq!(descriptor.size(), blob.len() as u64);
        blob
    };
    assert_eq!(file("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = ImageIndex::from_reader(file("index.json")).unwrap();
    let [manifest] = index.manifests().as_slice() else {
        panic!("one manifest")
    };
    assert_eq!(manifest.digest().to_string(), packed.digest);
    let manifest = ImageManifest::from_reader(blob(manifest)).unwrap();
    let config = ImageConfiguration::from_reader(blob(manifest.config())).unwrap();
    let [layer] = manifest.layers().as_slice() else {
        panic!("one layer")
    };
    assert_eq!(*layer.media_type(), MediaType::ImageLayerGzip);
    let mut files = Vec::new();
    GzDecoder::new(blob(layer)).read_to_end(&mut files).unwrap();
    assert_eq!(*config.rootfs().diff_ids(), [digest(&files)]);
    let files = members(&files);
    let docker: serde_json::Value = serde_json::from_slice(file("manifest.json")).unwrap();
    let path = |digest: String| format!("blobs/{}", digest.replace(':', "/"));
    assert_eq!(docker[0]["Config"], path(manifest.config().digest().to_string()));
    assert_eq!(docker[0]["Layers"][0], path(layer.digest().to_string()));
    Unpacked {
        manifest,
        config,
        files,
    }
}

fn some_files() -> Tree {
    let mut tree = Tree::default();
    tree.file("usr/bin/sealgate", 0o755, b"a program".to_vec());
    tree.folder("run/sealgate", 0o750, (65532, 101));
    tree
}

#[test]
fn the_agents_image_has_what_runs_and_nothing_else() {
    let image = unpacked(&agent(&some_files(), Arch::Arm64).unwrap());
    let folder = |mode, uid, gid| (false, mode, uid, gid, 0, Vec::new());
    let wanted = BTreeMap::from([
        ("run/".to_owned(), folder(0o755, 0, 0)),
        ("run/sealgate/".to_owned(), folder(0o750, 65532, 101)),
        ("usr/".to_owned(), folder(0o755, 0, 0)),
        ("usr/bin/".to_owned(), folder(0o755, 0, 0)),
        (
            "usr/bin/sealgate".to_owned(),
            (true, 0o755, 0, 0, 0, b"a program".to_vec()),
        ),
    ]);
    assert_eq!(image.files, wanted);
    let config = image.config.config().as_ref().unwrap();
    assert_eq!(config.user().as_deref(), Some("65532:65532"));
    assert_eq!(
        config.entrypoint().as_deref(),
        Some(&["/usr/bin/sealgate".to_owned()][..])
    );
    assert_eq!(config.cmd().as_deref(), Some(&["run".to_owned()][..]));
    assert_eq!(image.config.architecture().to_string(), "arm64");
    assert_eq!(image.config.os().to_string(), "linux");
    let labels = config.labels().as_ref().unwrap();
    assert_eq!(labels["dev.sealgate.envoy"], crate::version::envoy());
    assert_eq!(labels["org.opencontainers.image.version"], crate::version::OWN);
}

#[test]
fn what_is_packed_twice_is_the_same() {
    let once = agent(&some_files(), Arch::Amd64).unwrap().archive;
    for _ in 0..20 {
        assert!(once == agent(&some_files(), Arch::Amd64).unwrap().archive);
    }
    assert!(once != agent(&some_files(), Arch::Arm64).unwrap().archive);
}

/// Istio and Envoy Gateway require one `tar+gzip` layer with `plugin.wasm`, and read no other name.
#[test]
fn the_filters_artifact_is_one_layer_with_plugin_wasm() {
    let image = unpacked(&filter(b"\0asm".to_vec()).unwrap());
    let module = (true, 0o644, 0, 0, 0, b"\0asm".to_vec());
    assert_eq!(image.files, BTreeMap::from([("plugin.wasm".to_owned(), module)]));
    assert_eq!(*image.manifest.config().media_type(), MediaType::ImageConfig);
    assert_eq!(*image.manifest.media_type(), Some(MediaType::ImageManifest));
}

#[test]
fn a_program_comes_with_its_libraries() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let needed = elf::needed(&own, Arch::own()).unwrap();
    let has = |name: &str| {
        needed
            .keys()
            .any(|path| path.rsplit('/').next().unwrap().starts_with(name))
    };
    assert!(has("libc.so") && has("ld-linux"), "{needed:?}");
    let loaders = needed.keys().filter(|path| path.contains("ld-linux")).count();
    assert_eq!(loaders, 1, "{needed:?}");
    let other = if Arch::own() == Arch::Amd64 {
        Arch::Arm64
    } else {
        Arch::Amd64
    };
    let refused = elf::needed(&own, other).unwrap_err().to_string();
    assert_eq!(refused, format!("it is not a program for {}", other.name()));
}

#[test]
fn an_agent_without_the_filter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sealgate");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let tried = |program: &Path| {
        agent_files(program, Arch::own())
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(tried(&program).contains("does not lie beside"));
    std::fs::write(folder.path().join(crate::binary::AGENT_MODULE), [0xa5; 999]).unwrap();
    assert!(tried(&program).contains("does not carry the filter"));
}

#[test]
fn a_tree_is_laid_out_with_its_modes() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    some_files().write(folder.path()).unwrap();
    for (path, mode) in [("usr/bin/sealgate", 0o755), ("run/sealgate", 0o750)] {
        let seen = std::fs::metadata(folder.path().join(path))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(seen & 0o7777, mode, "{path}");
    }
}
