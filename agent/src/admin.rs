//! Health, readiness, metrics, status and the page over HTTP, by default on loopback. Only reads the engine's state,
//! and never blocks it.

mod access;
mod connections;
mod events;
pub(crate) mod explain;
mod guard;
mod headers;
mod metrics;
mod objects;
mod page;
mod parameters;
mod query;
pub mod status;
mod token;

pub use self::access::AdminAccess;
pub use self::guard::AdminHosts;
pub use self::token::{AdminToken, TokenError, read_token};

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::events::Listeners;
use self::objects::History;
use self::query::{ObjectsQuery, StatusQuery};
use crate::shared::Shared;

/// What answers are built from.
#[derive(Clone)]
struct AdminSources {
    engine: Arc<Shared>,
    history: Arc<History>,
    listeners: Listeners,
}

/// Binds the address. Warns if other machines can reach it without a token.
///
/// # Errors
/// It cannot be bound.
pub async fn bind(address: SocketAddr, access: &AdminAccess) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "admin interface");
    if !address.ip().is_loopback() && access.token.is_none() {
        tracing::warn!(
            %address,
            "the admin interface requires no token: anyone who can reach this address can read the names of all objects, \
             hosts, certificates and proxies, and their errors (never a key); set --admin-token-file, or restrict access with \
             a network policy"
        );
    }
    Ok(listener)
}

/// Serves until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    engine: Shared,
    access: AdminAccess,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (stop, stopped) = watch::channel(false);
    let sources = AdminSources {
        engine: Arc::new(engine),
        history: Arc::default(),
        listeners: Listeners::new(stopped),
    };
    let shutdown = async {
        shutdown.await;
        stop.send_replace(true);
    };
    connections::serve(listener, router(sources, access), shutdown).await;
}

fn router(sources: AdminSources, access: AdminAccess) -> Router {
    Router::new()
        .route("/", get(page::start))
        .route("/{name}", get(page::file))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .route("/api/status", get(status_json))
        .route("/api/explain", get(explain::explain))
        .route("/api/objects", get(objects_json))
        .route("/api/events", get(events))
        .layer(from_fn_with_state(access.token, token::authorize))
        .layer(from_fn_with_state(access.hosts, guard::guard))
        .layer(from_fn(headers::restrict))
        .with_state(sources)
}

async fn ready(State(AdminSources { engine, .. }): State<AdminSources>) -> (StatusCode, &'static str) {
    if engine.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the first list is not complete, or the socket does not accept yet\n",
        )
    }
}

async fn metrics_text(State(AdminSources { engine, .. }): State<AdminSources>) -> impl IntoResponse {
    let text = metrics::render(&engine.status());
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
}

async fn status_json(
    State(AdminSources { engine, .. }): State<AdminSources>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    if query.is_empty() {
        return axum::Json(engine.status()).into_response();
    }
    match StatusQuery::read(&query) {
        Ok(query) => match query.of(engine.status()) {
            Ok(part) => axum::Json(part).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        },
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn objects_json(
    State(AdminSources { engine, history, .. }): State<AdminSources>,
    RawQuery(query): RawQuery,
) -> Response {
    match ObjectsQuery::read(query.as_deref().unwrap_or_default()) {
        Ok(query) => {
            let body = objects::body(&history, &engine.view(), query.since);
            ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn events(State(sources): State<AdminSources>) -> Response {
    match sources.listeners.listen(sources.engine, sources.history) {
        Some(stream) => stream.into_response(),
        None => {
            let message = format!("at most {} pages can follow changes at a time\n", events::MOST);
            (StatusCode::SERVICE_UNAVAILABLE, message).into_response()
        }
    }
}
