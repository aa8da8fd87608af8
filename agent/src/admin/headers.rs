//! What browsers may do with an answer, whatever it is: no page of another origin gets it, nobody guesses its type, and what
//! changes is not kept.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets the headers that say so.
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

/// Whether what is at a path is another thing at each look.
fn is_live(path: &str) -> bool {
    path == "/metrics" || path.starts_with("/api/")
}
