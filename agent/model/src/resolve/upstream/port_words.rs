//! The protocol of a service's port: a Service's `appProtocol` or port name, or the `protocol` of a ServiceEntry.

/// HTTP/2, with or without TLS.
pub(super) fn is_http2(protocol: &str) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    protocol == "kubernetes.io/h2c" || protocol.starts_with("http2") || protocol.starts_with("grpc")
}

/// TLS: `https`, `https-admin`, `tls`.
pub(super) fn is_tls(protocol: &str) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    let word = protocol.split('-').next().unwrap_or_default();
    matches!(word, "https" | "tls" | "kubernetes.io/wss")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_as_istio_takes_it() {
        for (protocol, http2, tls) in [
            ("", false, false),
            ("http", false, false),
            ("HTTP2", true, false),
            ("http2-api", true, false),
            ("grpc-web", true, false),
            ("kubernetes.io/h2c", true, false),
            ("https", false, true),
            ("HTTPS-admin", false, true),
            ("TLS", false, true),
            ("kubernetes.io/wss", false, true),
            ("httpsx", false, false),
            ("tcp", false, false),
        ] {
            assert_eq!((is_http2(protocol), is_tls(protocol)), (http2, tls), "{protocol}");
        }
    }
}
