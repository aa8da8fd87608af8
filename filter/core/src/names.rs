//! The header names that the gateway speaks with: one list, from which what a client must never control is
//! removed natively, before any filter runs.

/// The cluster that the filter chose; the native route reads it and takes it off.
pub const CLUSTER: &str = "x-sealgate-cluster";
/// The whole request's time, in milliseconds; read by Envoy's router.
pub const TIMEOUT_MS: &str = "x-envoy-upstream-rq-timeout-ms";
/// Each try's time, in milliseconds; read by Envoy's router.
pub const PER_TRY_TIMEOUT_MS: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
/// How many more times to try; read by Envoy's router.
pub const MAX_RETRIES: &str = "x-envoy-max-retries";
/// When to try again; read by Envoy's router.
pub const RETRY_ON: &str = "x-envoy-retry-on";
/// gRPC statuses to try again on; read by Envoy's router.
pub const RETRY_GRPC_ON: &str = "x-envoy-retry-grpc-on";
/// Status codes to try again on; read by Envoy's router.
pub const RETRIABLE_STATUS_CODES: &str = "x-envoy-retriable-status-codes";
/// Which list of mirrors gets a copy: chooses among the native routes, and is taken off by them.
pub const MIRRORS: &str = "x-sealgate-mirrors";
/// How long Envoy's fault filter lets the request wait, in milliseconds.
pub const FAULT_DELAY: &str = "x-envoy-fault-delay-request";
/// The status with which Envoy's fault filter then answers it.
pub const FAULT_ABORT: &str = "x-envoy-fault-abort-request";
/// The same as a gRPC status.
pub const FAULT_ABORT_GRPC: &str = "x-envoy-fault-abort-grpc-request";

/// Headers by which Envoy itself can be steered, or which it sets as facts.
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

/// Headers that tell an upstream who its client is. Until the filter sets them, an upstream that reads one must
/// find none rather than a client's own.
const IDENTITY: &[&str] = &[
    "client-cert",
    "client-cert-chain",
    "x-client-cert-dns-san",
    "x-client-cert-email-san",
    "x-client-cert-ip-san",
    "x-client-cert-issuer",
    "x-client-cert-not-after",
    "x-client-cert-not-before",
    "x-client-cert-serial",
    "x-client-cert-sha256",
    "x-client-cert-subject",
    "x-client-cert-uri-san",
    "x-client-cert-verified",
    "x-forwarded-client-cert",
    "x-tls-cipher",
    "x-tls-sni",
    "x-tls-version",
];

/// Whatever looks so is the gateway's or Envoy's own, be there such a header today or not.
const FAMILIES: &str = "x-(?:envoy|sealgate|client-cert|tls)-.*";

/// Every header that a client must never get through, spelled with `-`.
pub fn never_from_a_client() -> impl Iterator<Item = &'static str> {
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
        .chain(IDENTITY.iter().copied())
}

/// All of them in every spelling, as patterns (RE2) of whole names: CGI-like upstreams fold `-` and `_`, also if only
/// some of a name's are `_`. Several, because Envoy refuses a pattern whose program is larger than 100.
pub fn forged() -> impl Iterator<Item = String> {
    let is_covered = |name: &&str| {
        let mut families = ["x-envoy-", "x-sealgate-", "x-client-cert-", "x-tls-"].into_iter();
        families.any(|family| name.starts_with(family))
    };
    let others = never_from_a_client().filter(move |name| !is_covered(name));
    [FAMILIES]
        .into_iter()
        .chain(others)
        .map(|name| name.replace('-', "[-_]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::Pattern;

    #[test]
    fn every_spelling_of_every_name_is_taken_off_and_no_other_is() {
        let patterns: Vec<_> = forged().map(|pattern| Pattern::new(&pattern).unwrap()).collect();
        let is_taken = |name: &str| patterns.iter().any(|pattern| pattern.is_match(name.as_bytes()));
        for name in never_from_a_client() {
            for spelling in [
                name.to_owned(),
                name.replace('-', "_"),
                name.replacen('-', "_", 1),
            ] {
                assert!(is_taken(&spelling), "{spelling}");
            }
        }
        for other in [
            "x-client",
            "x-envoyage",
            "client-certificate",
            "x-tls",
            "my-x-envoy-internal",
            "x_tlsa",
        ] {
            assert!(!is_taken(other), "{other}");
        }
    }
}
