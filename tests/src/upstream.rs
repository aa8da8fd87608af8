//! The walkthrough's upstreams: one that welcomes, and an httpbin.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use tokio::net::TcpListener;

/// What httpbin says with 418.
pub const TEAPOT: &str = "I'm a teapot";
/// What the welcome says.
pub const WELCOME: &str = "Welcome to a.aliyun.com!";

/// Starts an upstream; gives its port. It ends with the runtime.
///
/// # Errors
/// No port can be had.
pub async fn start() -> Result<u16> {
    let router = Router::new()
        .route("/hello", get(|| async { WELCOME }))
        .route("/status/{code}", get(status))
        .route("/delay/{seconds}", get(delay))
        .fallback(echo);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

async fn status(Path(code): Path<u16>) -> (StatusCode, &'static str) {
    let text = if code == 418 { TEAPOT } else { "" };
    (
        StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST),
        text,
    )
}

async fn delay(Path(seconds): Path<f64>) -> &'static str {
    tokio::time::sleep(Duration::from_secs_f64(seconds.clamp(0.0, 10.0))).await;
    "done"
}

/// What the upstream saw, one line per header.
async fn echo(uri: Uri, headers: HeaderMap) -> String {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    format!("{uri}\n{}", lines.collect::<String>())
}
