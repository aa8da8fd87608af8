//! The page's files, which are built in, with their Content-Security-Policy.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file: its name, its content, and whether that is compressed.
type PageFile = (&'static str, &'static [u8], bool);

include!(concat!(env!("OUT_DIR"), "/page.rs"));

const START: &str = "index.html";
/// Allows the page's own scripts, styles and module, and no other origin. The page itself contains the same policy, for
/// servers that set no headers.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types sealgate";

/// By name, with a tag that changes with the content.
static BY_NAME: LazyLock<HashMap<&'static str, (PageFile, String)>> = LazyLock::new(|| {
    let tagged = PAGE.iter().map(|file| {
        let mut hasher = DefaultHasher::new();
        file.1.hash(&mut hasher);
        (file.0, (*file, format!("\"{:x}\"", hasher.finish())))
    });
    tagged.collect()
});

/// `/`.
pub(super) async fn start(headers: HeaderMap) -> Response {
    answer(START, &headers)
}

/// `/{name}`.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&name, &headers)
}

fn answer(name: &str, asked: &HeaderMap) -> Response {
    let Some(((name, content, is_packed), tag)) = BY_NAME.get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, tag);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    if asked
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes())
    {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    set_type(name, *is_packed, &mut headers);
    (headers, *content).into_response()
}

fn set_type(name: &str, is_packed: bool, headers: &mut HeaderMap) {
    let kind = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        Some((_, "wasm")) => "application/wasm",
        _ => "application/octet-stream",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if is_packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise, the browser would discover a script only when another one imports it.
    #[test]
    fn the_start_page_names_every_script() {
        let ((_, start, _), _) = &BY_NAME[START];
        let start = std::str::from_utf8(start).unwrap();
        let workers = ["worker.js", "sealgate_web.js"];
        for (name, ..) in PAGE.iter().filter(|(name, ..)| name.ends_with(".js")) {
            let is_named = start.contains(&format!("\"{name}\""));
            assert_eq!(is_named, !workers.contains(name), "{name}");
        }
    }
}
