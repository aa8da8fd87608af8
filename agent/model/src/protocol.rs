//! The protocols of a Gateway's servers. Istio compares their names without case.

use sealgate_core::config::Server;

/// What a server does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerProtocol {
    /// HTTP in plain text: `HTTP`, `HTTP2` and `GRPC`.
    Plain,
    /// HTTP in TLS that ends here: `HTTPS`.
    Secure,
    /// TLS that does not end here, by server name: `TLS` or `HTTPS` with the mode PASSTHROUGH.
    Passthrough,
    /// TCP in TLS that ends here: `TLS`.
    SecureTcp,
    /// TCP, whatever is in it: `TCP`, `MONGO`, `MYSQL` and `REDIS`.
    Tcp,
}

/// What the servers of one port have in common: how it is known which of them a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortKind {
    /// By the host of each request.
    Plain,
    /// By the server name in the TLS handshake.
    Tls,
    /// Not at all: there is one.
    Tcp,
}

impl ServerProtocol {
    /// What a server is; none if Sealgate does not serve its protocol.
    #[must_use]
    pub fn of(server: &Server) -> Option<Self> {
        let word = &server.port.protocol;
        let is = |name: &&str| word.eq_ignore_ascii_case(name);
        let mode = server.tls.as_ref().and_then(|tls| tls.mode.as_deref());
        let passes = matches!(mode, Some("PASSTHROUGH" | "AUTO_PASSTHROUGH"));
        if ["HTTPS", "TLS"].iter().any(is) && passes {
            Some(Self::Passthrough)
        } else if is(&"HTTPS") {
            Some(Self::Secure)
        } else if is(&"TLS") {
            Some(Self::SecureTcp)
        } else if ["TCP", "MONGO", "MYSQL", "REDIS"].iter().any(is) {
            Some(Self::Tcp)
        } else {
            ["HTTP", "HTTP2", "GRPC"].iter().any(is).then_some(Self::Plain)
        }
    }

    /// Whether it takes requests, and not connections as a whole.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::Plain | Self::Secure)
    }

    /// Whether TLS ends here.
    #[must_use]
    pub fn ends_tls(self) -> bool {
        matches!(self, Self::Secure | Self::SecureTcp)
    }

    /// What a port has to be for it.
    #[must_use]
    pub fn port_kind(self) -> PortKind {
        match self {
            Self::Plain => PortKind::Plain,
            Self::Secure | Self::Passthrough | Self::SecureTcp => PortKind::Tls,
            Self::Tcp => PortKind::Tcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use sealgate_core::config::{Port, ServerTls};

    use super::*;

    fn of(protocol: &str, mode: Option<&str>) -> Option<ServerProtocol> {
        let tls = ServerTls {
            mode: mode.map(str::to_owned),
            ..ServerTls::default()
        };
        ServerProtocol::of(&Server {
            port: Port {
                protocol: protocol.to_owned(),
                ..Port::default()
            },
            tls: Some(Box::new(tls)),
            ..Server::default()
        })
    }

    #[test]
    fn words_are_compared_without_case_and_as_a_whole() {
        use ServerProtocol as P;
        for (words, protocol) in [
            (["https", "HTTPS", "Https"], P::Secure),
            (["http", "Http2", "GRPC"], P::Plain),
            (["tls", "TLS", "Tls"], P::SecureTcp),
            (["tcp", "Mongo", "MYSQL"], P::Tcp),
        ] {
            for word in words {
                assert_eq!(of(word, None), Some(protocol), "{word}");
            }
        }
        for word in ["", "UDP", "http3", "https ", "grpc-web"] {
            assert_eq!(of(word, None), None, "{word:?}");
        }
    }

    #[test]
    fn the_mode_says_whether_tls_is_passed_through() {
        use ServerProtocol as P;
        for (protocol, mode, expected) in [
            ("HTTPS", "PASSTHROUGH", P::Passthrough),
            ("TLS", "PASSTHROUGH", P::Passthrough),
            ("TLS", "MUTUAL", P::SecureTcp),
            ("HTTPS", "MUTUAL", P::Secure),
            ("HTTP", "PASSTHROUGH", P::Plain),
        ] {
            assert_eq!(of(protocol, Some(mode)), Some(expected), "{protocol} {mode}");
        }
    }
}
