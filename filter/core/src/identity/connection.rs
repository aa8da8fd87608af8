//! What Envoy says of a connection, once, when its handshake is done: one string in the connection's filter state, so
//! that a request costs one look at it, and so that the string is the key under which what was made of it is kept.

/// The key in the filter state.
pub const FILTER_STATE: &str = "sealgate.connection";

/// The facts by Envoy's formatters, after the chain's name and its TLS policy. The SNI comes last: it alone is the
/// client's to choose.
const FACTS: &str = "%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %REQUESTED_SERVER_NAME%";

/// What Envoy prints where there is nothing.
const NOTHING: &str = "-";

/// The format string by which a chain's connections describe themselves. Neither word may hold a space.
#[must_use]
pub fn format(chain: &str, policy: &str) -> String {
    format!(
        "{} {} {FACTS}",
        chain.replace('%', "%%"),
        policy.replace('%', "%%")
    )
}

/// A connection with TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The filter chain that it came in by.
    pub chain: &'a str,
    /// The TLS policy under which its handshake was done.
    pub policy: &'a str,
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
        let mut words = std::str::from_utf8(text).ok()?.splitn(6, ' ');
        let chain = words.next()?;
        let policy = words.next()?;
        let mut fact = || {
            words
                .next()
                .map(|word| Some(word).filter(|word| *word != NOTHING))
        };
        Some(Self {
            chain,
            policy,
            sha256: fact()?,
            version: fact()?,
            cipher: fact()?,
            sni: fact()?,
        })
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
