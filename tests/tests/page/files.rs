//! A plain file server for the static page, which sets no helpful headers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// The server, and what it was asked for.
pub(crate) struct Files {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

type Asked = (PathBuf, Arc<Mutex<Vec<String>>>);

/// Where `cargo xtask page` puts it.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/page");
    let has_module = folder.join("sealgate_web.wasm").is_file();
    ensure!(
        has_module,
        "there is no static page: `cargo xtask page` builds it"
    );
    Ok(folder)
}

impl Files {
    pub(crate) async fn serve() -> Result<Self> {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let router = Router::new()
            .fallback(file)
            .with_state((folder()?, Arc::clone(&asked)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, asked })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn file(State((folder, asked)): State<Asked>, uri: Uri) -> Response {
    let name = uri.path().trim_start_matches('/');
    let name = if name.is_empty() { "index.html" } else { name };
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(name.to_owned());
    let kind = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html",
        Some((_, "js")) => "text/javascript",
        Some((_, "css")) => "text/css",
        Some((_, "svg")) => "image/svg+xml",
        Some((_, "wasm")) => "application/wasm",
        _ => "application/octet-stream",
    };
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
