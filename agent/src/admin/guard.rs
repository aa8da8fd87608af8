//! Keeps other web pages out, whether they use a name of their own that resolves to this address (DNS rebinding) or
//! their own origin. The admin interface may have no password, so no page may use an operator's browser to read it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Host names, besides IP addresses and `localhost`, that requests may be for (`--admin-hosts`).
pub type AdminHosts = Arc<[String]>;

/// Lets a request through, or says why not.
pub(super) async fn guard(State(hosts): State<AdminHosts>, request: Request, next: Next) -> Response {
    match refusal(&request, &hosts) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(request: &Request, hosts: &[String]) -> Option<(StatusCode, String)> {
    let headers = request.headers();
    let authority = match request.uri().authority() {
        Some(authority) => Some(authority.to_string()),
        None => headers
            .get(header::HOST)
            .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned()),
    };
    // A request without a host is not a browser's.
    if let Some(authority) = &authority
        && !is_known(authority, hosts)
    {
        let message = format!(
            "{authority:?} is not an IP address, localhost or one of --admin-hosts: requests for other names are \
             rejected, because anyone can point a name here\n"
        );
        return Some((StatusCode::MISDIRECTED_REQUEST, message));
    }
    // The page itself contains no data, and other pages may link to it.
    let is_foreign = request.uri().path() != "/" && is_cross_origin(headers, authority.as_deref());
    is_foreign.then(|| {
        let message = "pages of other origins may not read this\n".to_owned();
        (StatusCode::FORBIDDEN, message)
    })
}

fn is_known(authority: &str, hosts: &[String]) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.strip_suffix('.').unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether a browser says that the request comes from another origin.
fn is_cross_origin(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let site = headers.get(FETCH_SITE).map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    let own = |origin: &[u8]| {
        let origin = origin
            .strip_prefix(b"http://")
            .or_else(|| origin.strip_prefix(b"https://"));
        origin.is_some_and(|origin| authority.is_some_and(|own| own.as_bytes().eq_ignore_ascii_case(origin)))
    };
    headers
        .get(header::ORIGIN)
        .is_some_and(|origin| !own(origin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let hosts = ["gateway.internal".to_owned()];
        let refusal = refusal(&request.body(Body::empty()).unwrap(), &hosts);
        refusal.map_or(200, |(status, _)| status.as_u16())
    }

    #[test]
    fn names_that_anybody_may_point_here_are_not_answered() {
        for (host, expected) in [
            ("127.0.0.1:15080", 200),
            ("10.1.2.3", 200),
            ("[::1]:15080", 200),
            ("localhost", 200),
            ("LOCALHOST.:15080", 200),
            ("Gateway.Internal:15080", 200),
            ("gateway.internal.evil.example", 421),
            ("evil.example:15080", 421),
            ("127.0.0.1.evil.example", 421),
            ("localhost.evil.example", 421),
            ("127.0.0.1@evil.example", 421),
            ("", 421),
            ("a b", 421),
        ] {
            assert_eq!(status("/api/status", &[("host", host)]), expected, "{host}");
        }
        assert_eq!(status("/api/status", &[]), 200, "HTTP/1.0");
        let absolute = "http://evil.example/api/status";
        assert_eq!(status(absolute, &[("host", "127.0.0.1")]), 421);
    }

    #[test]
    fn pages_of_other_origins_read_nothing() {
        let host = ("host", "127.0.0.1:15080");
        for (name, value, expected) in [
            ("sec-fetch-site", "same-origin", 200),
            ("sec-fetch-site", "none", 200),
            ("sec-fetch-site", "same-site", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("origin", "http://127.0.0.1:15080", 200),
            ("origin", "http://127.0.0.1:8080", 403),
            ("origin", "https://evil.example", 403),
            ("origin", "null", 403),
        ] {
            let own = status("/api/status", &[host, (name, value)]);
            assert_eq!(own, expected, "{name}: {value}");
        }
        assert_eq!(status("/", &[host, ("sec-fetch-site", "cross-site")]), 200);
    }
}
