//! The protocols of a Gateway's servers. Istio compares their names without case.

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerProtocol {
    /// HTTP in plain text: `HTTP`, `HTTP2` and `GRPC`.
    Plain,
    /// TLS ends here: `HTTPS`.
    Secure,
}

impl ServerProtocol {
    /// What a Gateway's word means; none if it is not served.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if is("HTTPS") {
            Some(Self::Secure)
        } else {
            (is("HTTP") || is("HTTP2") || is("GRPC")).then_some(Self::Plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_as_a_whole() {
        for word in ["https", "HTTPS", "Https"] {
            assert_eq!(ServerProtocol::of(word), Some(ServerProtocol::Secure), "{word}");
        }
        for word in ["http", "Http2", "grpc", "GRPC"] {
            assert_eq!(ServerProtocol::of(word), Some(ServerProtocol::Plain), "{word}");
        }
        for word in ["", "tls", "TCP", "http3", "https ", "grpc-web"] {
            assert_eq!(ServerProtocol::of(word), None, "{word:?}");
        }
    }
}
