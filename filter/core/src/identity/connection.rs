//! What Envoy records about a connection, once, after its handshake: one string in the connection's filter state, so
//! that a request only has to read one value, which is also the key for cached results.

/// The key in the filter state.
pub const FILTER_STATE: &str = "sealgate.connection";

/// Envoy's formatters. The SNI comes last, as only that is chosen by the client.
const FACTS: &str = "%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %REQUESTED_SERVER_NAME%";
/// Distinguishes chains that begin with the same leaf.
const CHAIN_FACT: &str = "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%";

/// What Envoy prints for a missing value.
const NOTHING: &str = "-";
/// The word for handshakes that fail if a certificate cannot be verified.
const CHECKED: &str = "checked";

/// What a filter chain's configuration says about its connections. No value may contain a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOrigin<'a> {
    /// The filter chain's name.
    pub chain: &'a str,
    /// Its TLS policy.
    pub policy: &'a str,
    /// Whether a handshake fails if the certificate cannot be verified, so that all certificates are verified. Envoy
    /// itself no longer knows this when a session is resumed.
    pub checked: bool,
}

/// The format string that describes connections. `with_chain`: connections differ if clients presented different
/// certificates after the same leaf.
#[must_use]
pub fn format(origin: &ConnectionOrigin<'_>, with_chain: bool) -> String {
    let words = [
        origin.chain,
        origin.policy,
        if origin.checked { CHECKED } else { NOTHING },
    ];
    let words = words.join(" ").replace('%', "%%");
    format!(
        "{words} {} {FACTS}",
        if with_chain { CHAIN_FACT } else { NOTHING }
    )
}

/// What [`format`] would have made Envoy record about a connection that is not described, as far as it is known; empty
/// texts mean unknown.
#[must_use]
pub fn described(sha256: &str, version: &str, sni: &str) -> String {
    let known = |word: &str| {
        let is_word = !word.is_empty() && !word.contains(' ');
        if is_word {
            word.to_owned()
        } else {
            NOTHING.to_owned()
        }
    };
    let (sha256, version) = (known(sha256), known(version));
    let sni = if sni.is_empty() { NOTHING } else { sni };
    format!("{NOTHING} {NOTHING} {NOTHING} {NOTHING} {sha256} {version} {NOTHING} {sni}")
}

/// A connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection<'a> {
    /// Where it arrived, and what its handshake required.
    pub origin: ConnectionOrigin<'a>,
    /// SHA-256 of the client's certificate, in lower-case hex.
    pub sha256: Option<&'a str>,
    /// `TLSv1.3`.
    pub version: Option<&'a str>,
    /// As OpenSSL names it.
    pub cipher: Option<&'a str>,
    /// The server name that the client asked for.
    pub sni: Option<&'a str>,
}

impl<'a> Connection<'a> {
    /// Parses what [`format`] made Envoy record; none if it is anything else.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.splitn(8, ' ');
        let origin = ConnectionOrigin {
            chain: words.next()?,
            policy: words.next()?,
            checked: words.next()? == CHECKED,
        };
        // The chain's fingerprints only distinguish connections.
        words.next()?;
        let mut fact = || {
            words
                .next()
                .map(|word| Some(word).filter(|word| *word != NOTHING))
        };
        Some(Self {
            origin,
            sha256: fact()?,
            version: fact()?,
            cipher: fact()?,
            sni: fact()?,
        })
    }

    /// How far its certificate can be trusted. `is_valid` is what Envoy says about it.
    #[must_use]
    pub fn standing(&self, is_valid: bool) -> Standing {
        match self.sha256 {
            None => Standing::None,
            Some(_) if self.origin.checked || is_valid => Standing::Verified,
            Some(_) => Standing::Presented,
        }
    }
}

/// How far a client's certificate can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    #[default]
    None,
    /// It was presented, but not verified.
    Presented,
    /// The handshake verified it.
    Verified,
}

impl Standing {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Presented => "false",
            Self::Verified => "true",
        }
    }
}
