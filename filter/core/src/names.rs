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
/// Status codes to try again on; read by Envoy's router.
pub const RETRIABLE_STATUS_CODES: &str = "x-envoy-retriable-status-codes";

/// Headers by which Envoy itself can be steered, or which it sets as facts.
const ENVOY_CONTROL: &[&str] = &[
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
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
    "x-envoy-retry-grpc-on",
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

/// Every header that a client must never get through, in both spellings: CGI-like upstreams fold `-` and `_`.
pub fn never_from_a_client() -> impl Iterator<Item = String> {
    let routing = [
        CLUSTER,
        TIMEOUT_MS,
        PER_TRY_TIMEOUT_MS,
        MAX_RETRIES,
        RETRY_ON,
        RETRIABLE_STATUS_CODES,
    ];
    routing
        .into_iter()
        .chain(ENVOY_CONTROL.iter().copied())
        .chain(IDENTITY.iter().copied())
        .flat_map(|name| [name.to_owned(), name.replace('-', "_")])
}
