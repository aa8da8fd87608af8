//! An image as an archive in the OCI image layout, which `skopeo`, `crane` and containerd read. Includes the
//! `manifest.json` that every version of `docker load` reads.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use oci_spec::image::{
    Config, Descriptor, ImageConfiguration, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, RootFsBuilder, SCHEMA_VERSION,
};
use serde_json::{Value, json};

use super::layer::{Layer, Tree, digest};

/// What is packed: one layer and its metadata.
pub(super) struct Image {
    /// The name that an engine gives it, with its tag.
    pub(super) name: String,
    /// `linux/amd64`, as architecture and system.
    pub(super) platform: (String, String),
    pub(super) config: Config,
    pub(super) layer: Layer,
}

/// An archive, and the digest of its manifest in a registry.
pub(crate) struct Packed {
    pub(crate) archive: Vec<u8>,
    pub(crate) digest: String,
}

/// Blobs by their digest, in the folders that the layout has for them.
#[derive(Default)]
struct Blobs(Tree);

impl Blobs {
    fn add(&mut self, media_type: MediaType, content: Vec<u8>) -> Result<Descriptor> {
        let name = digest(&content);
        let size = content.len() as u64;
        self.0.file(&path(&name), 0o644, content);
        Ok(Descriptor::new(
            media_type,
            size,
            name.parse::<oci_spec::image::Digest>()?,
        ))
    }
}

fn path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// JSON with sorted keys: the types have labels in an unordered map.
fn text(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    fn in_order(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.into_iter().collect();
                fields.sort_by(|one, other| one.0.cmp(&other.0));
                fields
                    .into_iter()
                    .map(|(key, value)| (key, in_order(value)))
                    .collect()
            }
            Value::Array(items) => items.into_iter().map(in_order).collect(),
            other => other,
        }
    }
    Ok(serde_json::to_vec(&in_order(serde_json::to_value(value)?))?)
}

fn configuration(image: &Image) -> Result<ImageConfiguration> {
    let mut configuration = ImageConfiguration::default();
    let layers = RootFsBuilder::default()
        .typ("layers")
        .diff_ids(vec![image.layer.diff_id.clone()])
        .build()?;
    configuration
        .set_architecture(image.platform.1.as_str().into())
        .set_os(image.platform.0.as_str().into())
        .set_config(Some(image.config.clone()))
        .set_rootfs(layers);
    Ok(configuration)
}

/// Packs an image.
pub(super) fn pack(image: &Image, annotations: &[(String, String)]) -> Result<Packed> {
    let mut blobs = Blobs::default();
    let config = blobs.add(MediaType::ImageConfig, text(&configuration(image)?)?)?;
    let layer = blobs.add(MediaType::ImageLayerGzip, image.layer.gzip.clone())?;
    let annotations: HashMap<String, String> = annotations.iter().cloned().collect();
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config.clone())
        .layers(vec![layer.clone()])
        .annotations(annotations)
        .build()?;
    let mut manifest = blobs.add(MediaType::ImageManifest, text(&manifest)?)?;
    let digest = manifest.digest().to_string();
    let tag = image.name.rsplit(':').next().context("a name without a tag")?;
    manifest.set_annotations(Some(HashMap::from([
        ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned()),
        ("io.containerd.image.name".to_owned(), image.name.clone()),
    ])));
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(vec![manifest])
        .build()?;
    let layout = OciLayoutBuilder::default()
        .image_layout_version("1.0.0")
        .build()?;
    let docker = json!([{
        "Config": path(config.digest().as_ref()),
        "RepoTags": [image.name],
        "Layers": [path(layer.digest().as_ref())],
    }]);
    let mut tree = blobs.0;
    tree.file("index.json", 0o644, text(&index)?);
    tree.file("oci-layout", 0o644, text(&layout)?);
    tree.file("manifest.json", 0o644, text(&docker)?);
    Ok(Packed {
        archive: tree.tar()?,
        digest,
    })
}
