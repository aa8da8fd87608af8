//! Whether exactly these headers arrived: names, values, number and order.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::scenario::{Headers, together};

/// Where headers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToUpstream,
    ToClient,
}

/// Headers that Envoy itself sends to an upstream. The host is compared elsewhere.
const TO_UPSTREAM: [&str; 6] = [
    "content-length",
    "x-envoy-external-address",
    "host",
    "x-request-id",
    "x-forwarded-for",
    "x-envoy-expected-rq-timeout-ms",
];
/// Headers that Envoy itself sends to a client. The gRPC status is compared elsewhere.
const TO_CLIENT: [&str; 8] = [
    "date",
    "server",
    "connection",
    "content-length",
    "transfer-encoding",
    "x-envoy-upstream-service-time",
    "grpc-status",
    "grpc-message",
];
/// Headers of which Envoy keeps one value, with all values joined.
const JOINED: [&str; 6] = [
    "accept",
    "user-agent",
    "cookie",
    "content-type",
    "origin",
    "access-control-request-method",
];

/// # Errors
/// The first header that differs.
pub(super) fn exact(found: &Headers, wanted: &Headers, way: Way) -> Result<()> {
    let own: &[&str] = match way {
        Way::ToUpstream => &TO_UPSTREAM,
        Way::ToClient => &TO_CLIENT,
    };
    let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for name in names.into_iter().filter(|name| !own.contains(&name.as_str())) {
        let values = |headers: &Headers| {
            let values = headers.get(name).cloned().unwrap_or_default();
            if JOINED.contains(&name.as_str()) && !values.is_empty() {
                vec![together(name, &values)]
            } else {
                values
            }
        };
        let (found, wanted) = (values(found), values(wanted));
        ensure!(found == wanted, "{name}: {found:?} instead of {wanted:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &[&str])]) -> Headers {
        let each = pairs.iter();
        each.map(|(name, values)| {
            (
                (*name).to_owned(),
                values.iter().map(|value| (*value).to_owned()).collect(),
            )
        })
        .collect()
    }

    #[test]
    fn names_values_counts_and_order_are_compared() {
        let wanted = headers(&[("x-a", &["1", "2"]), ("accept", &["a", "b"]), ("x-gone", &[])]);
        for (found, is_same) in [
            (
                headers(&[("x-a", &["1", "2"]), ("accept", &["a,b"]), ("host", &["h"])]),
                true,
            ),
            (headers(&[("x-a", &["1,2"]), ("accept", &["a,b"])]), false),
            (headers(&[("x-a", &["2", "1"]), ("accept", &["a,b"])]), false),
            (headers(&[("x-a", &["1"]), ("accept", &["a,b"])]), false),
            (headers(&[("x-a", &["1", "2"])]), false),
            (
                headers(&[("x-a", &["1", "2"]), ("accept", &["a,b"]), ("x-gone", &[""])]),
                false,
            ),
            (
                headers(&[("x-a", &["1", "2"]), ("accept", &["a,b"]), ("x-more", &["1"])]),
                false,
            ),
        ] {
            assert_eq!(
                exact(&found, &wanted, Way::ToUpstream).is_ok(),
                is_same,
                "{found:?}"
            );
        }
    }
}
