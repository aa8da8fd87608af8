//! Response headers that tell browsers not to give an answer to other origins, not to guess its type, and not to cache
//! what changes.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets these headers.
pub(super) async fn restrict(request: Request, next: Next) -> Response {
    let is_live = is_live(request.uri().path());
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_live {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}

/// Whether the content at a path may change at any time.
fn is_live(path: &str) -> bool {
    path == "/metrics" || path.starts_with("/api/")
}
