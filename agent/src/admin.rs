//! Health, readiness, metrics, status and the page over HTTP, on loopback unless told otherwise. Reads what the
//! engine shows; nothing here changes it, or holds it up.

mod metrics;
pub mod status;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::shared::Shared;

const PAGE: &str = include_str!("admin/page.html");

/// Binds the address.
///
/// # Errors
/// It cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "admin interface");
    Ok(listener)
}

/// Serves until `shutdown`.
///
/// # Errors
/// The listener broke.
pub async fn serve(
    listener: TcpListener,
    engine: Shared,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(engine))
        .with_graceful_shutdown(shutdown)
        .await
}

fn router(engine: Shared) -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .route("/api/status", get(status_json))
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
