//! A fake registry: the questions of the OCI distribution protocol that a client asks to pull an image, over plain HTTP on
//! loopback, answered from an archive in the OCI image layout. The tests with the control planes of
//! other projects pull the filter from it.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A running registry, which has one image under every name and tag.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where it listens.
    pub port: u16,
    /// The digest of the image's manifest.
    pub digest: String,
    pulled: Arc<Mutex<Vec<String>>>,
}

struct Image {
    digest: String,
    /// By their digests.
    blobs: HashMap<String, Vec<u8>>,
    pulled: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Serves the image of this archive; it ends with the runtime.
    ///
    /// # Errors
    /// The archive is none.
    pub async fn start(archive: &Path) -> Result<Self> {
        let image = Image::read(archive).with_context(|| archive.display().to_string())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = Self {
            port: listener.local_addr()?.port(),
            digest: image.digest.clone(),
            pulled: Arc::clone(&image.pulled),
        };
        let router = Router::new().fallback(answer).with_state(Arc::new(image));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(own)
    }

    /// The paths of what was asked for, in order.
    #[must_use]
    pub fn pulled(&self) -> Vec<String> {
        self.pulled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Image {
    fn read(archive: &Path) -> Result<Self> {
        let mut files = HashMap::new();
        for entry in tar::Archive::new(std::fs::File::open(archive)?).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(path, content);
        }
        let index = files.get("index.json").context("no index.json")?;
        let index: Value = serde_json::from_slice(index)?;
        let digest = index["manifests"][0]["digest"].as_str().context("no manifest")?;
        let blobs = files.into_iter().filter_map(|(path, content)| {
            let sum = path.strip_prefix("blobs/sha256/")?;
            Some((format!("sha256:{sum}"), content))
        });
        Ok(Self {
            digest: digest.to_owned(),
            blobs: blobs.collect(),
            pulled: Arc::default(),
        })
    }
}

async fn answer(State(image): State<Arc<Image>>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    image
        .pulled
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(path.to_owned());
    if path == "/v2/" {
        return StatusCode::OK.into_response();
    }
    let (kind, digest) = if let Some((_, reference)) = path.rsplit_once("/manifests/") {
        let digest = if reference.contains(':') {
            reference
        } else {
            &image.digest
        };
        (MANIFEST, digest)
    } else if let Some((_, digest)) = path.rsplit_once("/blobs/") {
        ("application/octet-stream", digest)
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(blob) = image.blobs.get(digest) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, blob.len().to_string()),
        (
            header::HeaderName::from_static("docker-content-digest"),
            digest.to_owned(),
        ),
    ];
    let body = if method == Method::HEAD {
        Vec::new()
    } else {
        blob.clone()
    };
    (headers, body).into_response()
}
