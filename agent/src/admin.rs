//! Health, readiness, metrics, status and the page over HTTP, on loopback unless told otherwise. Reads what the
//! engine shows; nothing here changes it, or holds it up.

mod connections;
mod guard;
mod metrics;
pub mod status;

pub use self::guard::AdminHosts;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::shared::Shared;

const PAGE: &str = include_str!("admin/page.html");

/// Binds the address, and says what it exposes if others than this machine reach it.
///
/// # Errors
/// It cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "admin interface");
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "the admin interface asks for no password: whoever reaches this address reads the names of all objects, hosts, \
             certificates and proxies, and what is wrong with them (never a key); let a network policy say who does"
        );
    }
    Ok(listener)
}

/// Serves until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    engine: Shared,
    hosts: AdminHosts,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    connections::serve(listener, router(engine, hosts), shutdown).await;
}

fn router(engine: Shared, hosts: AdminHosts) -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .route("/api/status", get(status_json))
        .layer(from_fn_with_state(hosts, guard::guard))
        .with_state(Arc::new(engine))
}

async fn ready(State(engine): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if engine.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the first list is not complete, or the socket does not accept yet\n",
        )
    }
}

async fn metrics_text(State(engine): State<Arc<Shared>>) -> impl IntoResponse {
    let text = metrics::render(&engine.status());
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
}

async fn status_json(State(engine): State<Arc<Shared>>) -> impl IntoResponse {
    axum::Json(engine.status())
}
