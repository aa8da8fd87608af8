//! How Envoy changes a request's headers before any rule sees them. Reimplemented for `explain`; a test compares it
//! with the real Envoy, name by name.

use super::{Protocol, Question};
use crate::names::{self, Owner};

/// Envoy keeps only one value of these: it joins several with commas.
const JOINED: [&str; 22] = [
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-type",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "origin",
    "pragma",
    "referer",
    "user-agent",
    "via",
    "x-client-trace-id",
    "x-forwarded-host",
    "x-forwarded-port",
];
const PROTO: &str = "x-forwarded-proto";
/// Hop-by-hop headers, which go no further unless the request is an upgrade.
const HOP: [&str; 4] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
];

impl Question {
    /// The headers without those that only the gateway may set, each as Envoy keeps it, and with those that Envoy adds
    /// about the connection.
    pub(super) fn headers_as_seen(&self) -> Vec<(String, String)> {
        let upgrades = self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
        let mut seen: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            let stays = match name.as_str() {
                PROTO => false,
                "te" => value.split(',').any(|own| own.trim() == "trailers"),
                own if HOP.contains(&own) => upgrades,
                own => matches!(names::owner(own), None | Some(Owner::Connection)),
            };
            if !stays {
                continue;
            }
            let known = seen.iter_mut().find(|(own, _)| *own == name);
            match (sign(&name, self.protocol), known) {
                (Some(sign), Some((_, joined))) => {
                    // Empty values add nothing, except a cookie's separator.
                    if !joined.is_empty() && (!value.is_empty() || name == "cookie") {
                        joined.push_str(sign);
                    }
                    joined.push_str(value);
                }
                _ => seen.push((name, value.clone())),
            }
        }
        // Empty cookies leave no header.
        seen.retain(|(name, value)| {
            name != "cookie" || self.protocol == Protocol::Http1 || !value.is_empty()
        });
        seen.push((PROTO.to_owned(), self.scheme.clone()));
        seen
    }
}

/// The separator between the joined values of a header.
fn sign(name: &str, protocol: Protocol) -> Option<&'static str> {
    match name {
        // RFC 9113, 8.2.3.
        "cookie" if protocol == Protocol::Http2 => Some("; "),
        _ => JOINED.contains(&name).then_some(","),
    }
}
