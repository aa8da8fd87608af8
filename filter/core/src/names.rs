//! The header names that the gateway uses: one list, with which Envoy itself removes what clients must never control,
//! before any filter runs.

use std::collections::BTreeSet;

use crate::identity;

/// The cluster that the filter chose; the native route reads and removes it.
pub const CLUSTER: &str = "x-sealgate-cluster";
/// The timeout of the whole request, in milliseconds; read by Envoy's router.
pub const TIMEOUT_MS: &str = "x-envoy-upstream-rq-timeout-ms";
/// The timeout of each try, in milliseconds; read by Envoy's router.
pub const PER_TRY_TIMEOUT_MS: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
/// How many more times to try; read by Envoy's router.
pub const MAX_RETRIES: &str = "x-envoy-max-retries";
/// When to try again; read by Envoy's router.
pub const RETRY_ON: &str = "x-envoy-retry-on";
/// gRPC statuses to try again on; read by Envoy's router.
pub const RETRY_GRPC_ON: &str = "x-envoy-retry-grpc-on";
/// Status codes to try again on; read by Envoy's router.
pub const RETRIABLE_STATUS_CODES: &str = "x-envoy-retriable-status-codes";
/// Which list of mirrors gets a copy: chooses among the native routes, which remove it.
pub const MIRRORS: &str = "x-sealgate-mirrors";
/// How long Envoy's fault filter delays the request, in milliseconds.
pub const FAULT_DELAY: &str = "x-envoy-fault-delay-request";
/// The status with which Envoy's fault filter then answers it.
pub const FAULT_ABORT: &str = "x-envoy-fault-abort-request";
/// The same as a gRPC status.
pub const FAULT_ABORT_GRPC: &str = "x-envoy-fault-abort-grpc-request";

/// The retry conditions about a gRPC answer; Envoy reads them only from [`RETRY_GRPC_ON`].
pub const GRPC_CONDITIONS: [&str; 5] = [
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];
/// The condition without which [`RETRIABLE_STATUS_CODES`] has no effect.
pub const RETRIABLE_BY_STATUS: &str = "retriable-status-codes";

/// Headers that steer Envoy itself, or that it sets as facts.
const ENVOY_CONTROL: &[&str] = &[
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-fault-abort-request-percentage",
    "x-envoy-fault-delay-request-percentage",
    "x-envoy-fault-throughput-response",
    "x-envoy-fault-throughput-response-percentage",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-stream-duration-ms",
];

/// Envoy's headers that steer a request and that Envoy itself does not remove if a client sends them.
const STEERING: [&str; 18] = [
    TIMEOUT_MS,
    PER_TRY_TIMEOUT_MS,
    MAX_RETRIES,
    RETRY_ON,
    RETRY_GRPC_ON,
    RETRIABLE_STATUS_CODES,
    FAULT_DELAY,
    FAULT_ABORT,
    FAULT_ABORT_GRPC,
    "x-envoy-fault-abort-request-percentage",
    "x-envoy-fault-delay-request-percentage",
    "x-envoy-fault-throughput-response",
    "x-envoy-fault-throughput-response-percentage",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-retriable-header-names",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-stream-duration-ms",
];

/// With these, Istio's proxies say which workload they belong to. Other spellings are always removed.
const PEER_METADATA: [&str; 2] = ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"];

/// All such names belong to the gateway or Envoy, whether such a header exists today or not.
const FAMILIES: &str = "x-(?:envoy|sealgate|client-cert|tls)-.*";
/// The same as prefixes.
const FAMILY_BEGINS: [&str; 4] = [ENVOY_FAMILY, "x-sealgate-", "x-client-cert-", "x-tls-"];
/// Envoy's prefix.
const ENVOY_FAMILY: &str = "x-envoy-";
/// Headers that frame messages, or belong to one connection (RFC 9110, 7.6.1): only Envoy writes them.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// The owner of a header that neither a client nor a rule may write. In every spelling: CGI-like upstreams treat `-`
/// and `_` the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It says who the client is, with any prefix that a Gateway may choose, or steers the gateway.
    Gateway,
    /// Envoy obeys it, or states a fact with it.
    Envoy,
    /// It belongs to the connection: it frames messages.
    Connection,
}

/// The owner of a header; none if anyone may write it.
#[must_use]
pub fn owner(name: &str) -> Option<Owner> {
    let folded = name.to_ascii_lowercase().replace('_', "-");
    let folded = folded.as_str();
    if FRAMING.contains(&folded) {
        return Some(Owner::Connection);
    }
    if folded.starts_with(ENVOY_FAMILY) {
        return Some(Owner::Envoy);
    }
    let is_own = FAMILY_BEGINS.iter().any(|begin| folded.starts_with(begin))
        || identity::PREFIX_ENDS.iter().any(|end| folded.contains(end))
        || identity::FIXED.contains(&folded);
    is_own.then_some(Owner::Gateway)
}

/// Whether a header from a client must be removed by a filter without native rules before it: it would be taken for one
/// of the gateway's, either by the prefix of identity headers or by another name.
#[must_use]
pub fn is_forged(name: &str, prefix: &str) -> bool {
    let fold = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let folded = fold(name);
    let mut begins = FAMILY_BEGINS.iter().filter(|begin| **begin != ENVOY_FAMILY);
    begins.any(|begin| folded.starts_with(begin))
        || identity::FIXED.contains(&folded.as_str())
        || folded.starts_with(&fold(prefix))
}

/// Whether Envoy's router or fault filter obeys this header.
#[must_use]
pub fn is_steering(name: &str) -> bool {
    STEERING.contains(&name)
}

/// All headers that must never get through from a client, spelled with `-`: those that steer routing, and all names
/// that tell an upstream who its client is, whether they are in use today or not.
pub fn never_from_a_client() -> impl Iterator<Item = String> {
    let routing = [
        CLUSTER,
        TIMEOUT_MS,
        PER_TRY_TIMEOUT_MS,
        MAX_RETRIES,
        RETRY_ON,
        RETRY_GRPC_ON,
        RETRIABLE_STATUS_CODES,
        MIRRORS,
        FAULT_DELAY,
        FAULT_ABORT,
        FAULT_ABORT_GRPC,
    ];
    routing
        .into_iter()
        .chain(ENVOY_CONTROL.iter().copied())
        .map(str::to_owned)
        .chain(identity::header_names(None))
}

/// What else is removed, and what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Prefixes that users chose for identity headers.
    pub prefixes: BTreeSet<String>,
    /// Whether the filter decides about a client's `x-forwarded-client-cert`; other spellings are always removed.
    pub keeps_xfcc: bool,
    /// Whether [`PEER_METADATA`] stays: then all clients are trusted to say which workload they belong to.
    pub keeps_peer_metadata: bool,
}

/// Patterns (RE2) of whole names, for all forged headers in every spelling: CGI-like upstreams treat `-` and `_` the
/// same, also if they are mixed. Several patterns, because Envoy rejects one whose program is larger than 100.
pub fn forged(guard: &Guard) -> impl Iterator<Item = String> {
    let is_covered = |name: &str| {
        let mut families = FAMILY_BEGINS.iter();
        families.any(|family| name.starts_with(family))
    };
    let keeps_xfcc = guard.keeps_xfcc;
    let own = guard
        .prefixes
        .iter()
        .flat_map(|prefix| identity::header_names(Some(prefix)));
    let names: BTreeSet<String> = never_from_a_client().chain(own).collect();
    let others = names.into_iter().filter(move |name| !is_covered(name));
    let patterns = others.flat_map(move |name| {
        if keeps_xfcc && name == identity::Rendered::XFCC {
            with_an_underscore(&name)
        } else {
            vec![every_spelling(&name)]
        }
    });
    let families = if guard.keeps_peer_metadata {
        let rest = FAMILIES.replace("envoy|", "").replace('-', "[-_]");
        [rest].into_iter().chain(all_but_peer_metadata()).collect()
    } else {
        vec![FAMILIES.replace('-', "[-_]")]
    };
    families.into_iter().chain(patterns)
}

/// Patterns of all names with Envoy's prefix, in every spelling, except [`PEER_METADATA`]. RE2 cannot express "except":
/// each pattern is for the names that differ from the longest one first at one place.
fn all_but_peer_metadata() -> impl Iterator<Item = String> {
    let [.., longest] = PEER_METADATA;
    let parting = (ENVOY_FAMILY.len()..longest.len()).filter_map(|at| {
        let (common, next) = (longest.get(..at)?, longest.get(at..=at)?);
        let end = if PEER_METADATA.contains(&common) { "" } else { "?" };
        Some(format!("{common}(?:[^{next}].*){end}"))
    });
    let spelled = ["x_envoy[-_].*".to_owned(), "x-envoy_.*".to_owned()];
    spelled.into_iter().chain(parting).chain([format!("{longest}.+")])
}

fn every_spelling(name: &str) -> String {
    name.replace('.', "[.]").replace(['-', '_'], "[-_]")
}

/// A pattern for each place where a `_` may be: together, every spelling except the one with only `-`.
fn with_an_underscore(name: &str) -> Vec<String> {
    let dashes = name.match_indices('-').map(|(at, _)| at);
    let spelled = dashes.filter_map(|at| {
        let (before, after) = (name.get(..at)?, name.get(at + 1..)?);
        Some(format!("{}_{}", every_spelling(before), every_spelling(after)))
    });
    spelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::Regexes;

    fn patterns(guard: &Guard) -> impl Fn(&str) -> bool + use<> {
        let patterns: Vec<_> = forged(guard).collect();
        let regexes = Regexes::default();
        move |name| {
            let takes = |pattern: &String| regexes.is_match(pattern, name.as_bytes()).unwrap();
            patterns.iter().any(takes)
        }
    }

    fn spellings(name: &str) -> [String; 3] {
        [
            name.to_owned(),
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
        ]
    }

    #[test]
    fn every_spelling_of_every_name_is_taken_off_and_no_other_is() {
        let is_taken = patterns(&Guard::default());
        for spelling in never_from_a_client().flat_map(|name| spellings(&name)) {
            assert!(is_taken(&spelling), "{spelling}");
        }
        for other in [
            "x-client",
            "x-envoyage",
            "client-certificate",
            "x-tls",
            "my-x-envoy-internal",
            "x_tlsa",
            "x-peer-subject",
        ] {
            assert!(!is_taken(other), "{other}");
        }
    }

    /// All headers that the renderer writes are guarded, with any prefix: fails if a new header is forgotten here.
    #[test]
    fn every_header_that_is_written_is_taken_off() {
        for prefix in ["x-client-cert-", "x-peer-client-cert-", "who.is_it-tls_client-"] {
            let is_taken = patterns(&Guard {
                prefixes: BTreeSet::from([prefix.to_owned()]),
                ..Guard::default()
            });
            let written = identity::tests::everything_written_with(prefix);
            assert_eq!(written.len(), identity::header_names(Some(prefix)).count());
            for spelling in written.iter().flat_map(|name| spellings(name)) {
                assert!(is_taken(&spelling), "{spelling}");
            }
        }
    }

    /// All headers that are removed from clients' requests by name have an owner, with any valid prefix.
    #[test]
    fn every_header_that_is_written_has_an_owner_in_every_spelling() {
        let chosen = ["x-peer-client-cert-", "who.is_it-tls_client-", "ssl_client-"];
        let written = chosen.iter().flat_map(|prefix| {
            assert_eq!(
                identity::IdentityConfig {
                    prefix: (*prefix).to_owned(),
                    ..identity::IdentityConfig::default()
                }
                .check(),
                Ok(())
            );
            identity::tests::everything_written_with(prefix)
        });
        for name in never_from_a_client().chain(written) {
            for spelling in spellings(&name) {
                assert!(owner(&spelling).is_some(), "{spelling}");
                assert_eq!(owner(&spelling.to_ascii_uppercase()), owner(&spelling));
            }
        }
        for (name, expected) in [
            ("Client_Cert", Some(Owner::Gateway)),
            ("x-sealgate-cluster", Some(Owner::Gateway)),
            ("X-Envoy_Retry-On", Some(Owner::Envoy)),
            ("Transfer-Encoding", Some(Owner::Connection)),
            ("content_length", Some(Owner::Connection)),
            ("content-type", None),
            ("x-forwarded-for", None),
            ("client-certificate", None),
            ("x-envoyage", None),
        ] {
            assert_eq!(owner(name), expected, "{name}");
        }
    }

    #[test]
    fn a_kept_xfcc_is_the_one_spelling() {
        let is_taken = patterns(&Guard {
            keeps_xfcc: true,
            ..Guard::default()
        });
        assert!(!is_taken("x-forwarded-client-cert"));
        for other in [
            "x_forwarded_client_cert",
            "x-forwarded-client_cert",
            "x_forwarded-client-cert",
            "x-forwarded_client-cert",
        ] {
            assert!(is_taken(other), "{other}");
        }
    }

    #[test]
    fn kept_peer_metadata_is_two_names_in_one_spelling() {
        let is_taken = patterns(&Guard {
            keeps_peer_metadata: true,
            ..Guard::default()
        });
        for kept in PEER_METADATA {
            assert!(!is_taken(kept), "{kept}");
            for spelling in spellings(kept).iter().filter(|spelling| *spelling != kept) {
                assert!(is_taken(spelling), "{spelling}");
            }
            for more in ["-", "_id", "x", "-idx", "-id-", "s"] {
                assert!(is_taken(&format!("{kept}{more}")), "{kept}{more}");
            }
        }
        let [.., longest] = PEER_METADATA;
        for end in ENVOY_FAMILY.len()..longest.len() {
            let begin = longest.get(..end).unwrap();
            let is_kept = PEER_METADATA.contains(&begin);
            assert_eq!(is_taken(begin), !is_kept, "{begin}");
            assert!(is_taken(&format!("{begin}%")), "{begin}%");
        }
        for spelling in never_from_a_client().flat_map(|name| spellings(&name)) {
            assert!(is_taken(&spelling), "{spelling}");
        }
        assert!(!is_taken("x-envoyage"));
        let is_taken = patterns(&Guard::default());
        assert!(PEER_METADATA.iter().all(|name| is_taken(name)));
    }
}
