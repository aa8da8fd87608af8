//! What Envoy says of a connection, once, when its handshake is done: one string in the connection's filter state, so
//! that a request costs one look at it, and so that the string is the key under which what was made of it is kept.

/// The key in the filter state.
pub const FILTER_STATE: &str = "sealgate.connection";

/// Envoy's formatters. The SNI comes last: it alone is the client's to choose.
const FACTS: &str = "%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %REQUESTED_SERVER_NAME%";
/// Tells chains apart that begin with the same leaf.
const CHAIN_FACT: &str = "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%";

/// What Envoy prints where there is nothing.
const NOTHING: &str = "-";
/// The word of a handshake that fails by a certificate which cannot be verified.
const CHECKED: &str = "checked";

/// What a filter chain's configuration says of its connections. No word of it may hold a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOrigin<'a> {
    /// The filter chain's name.
    pub chain: &'a str,
    /// Its TLS policy.
    pub policy: &'a str,
    /// A handshake fails by a certificate that cannot be verified: there are no other ones. Envoy's own word on it is
    /// lost when a session is resumed.
    pub checked: bool,
}

/// The format string by which connections describe themselves. `with_chain`: those whose clients presented other
/// certificates behind the same leaf are different.
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

/// What [`format`] would have made Envoy write of a connection that nobody described, as far as it is known: empty words are
/// not.
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
    /// Where it came in, and what its handshake demanded.
    pub origin: ConnectionOrigin<'a>,
    /// Of the client's certificate, in lower-case hex.
    pub sha256: Option<&'a str>,
    /// `TLSv1.3`.
    pub version: Option<&'a str>,
    /// As OpenSSL names it.
    pub cipher: Option<&'a str>,
    /// The server name that the client asked for.
    pub sni: Option<&'a str>,
}

impl<'a> Connection<'a> {
    /// Reads what [`format`] made Envoy write; none if it is anything else.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.splitn(8, ' ');
        let origin = ConnectionOrigin {
            chain: words.next()?,
            policy: words.next()?,
            checked: words.next()? == CHECKED,
        };
        // The chain's fingerprints only make a difference.
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

    /// How far its certificate is to be believed. `is_valid` is Envoy's word on it.
    #[must_use]
    pub fn standing(&self, is_valid: bool) -> Standing {
        match self.sha256 {
            None => Standing::None,
            Some(_) if self.origin.checked || is_valid => Standing::Verified,
            Some(_) => Standing::Presented,
        }
    }
}

/// How far a client's certificate is to be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    #[default]
    None,
    /// It was presented, and nobody checked it.
    Presented,
    /// The handshake checked it.
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
