//! How requests are sent to an upstream: what DestinationRules say of it, merged, with every word parsed.

use std::time::Duration;

use super::HashBalancing;
use super::placement::Placement;
use crate::CredentialName;

/// All of it. What is not said has no value, and Envoy gets our limit or its own default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpstreamPolicy {
    /// Which endpoint a request goes to.
    pub balancing: Balancing,
    /// Which of them count, and how much, by where they are.
    pub placement: Option<Placement>,
    /// How many connections and requests, and how long they live.
    pub pool: PoolLimits,
    /// When an endpoint is left out for a while.
    pub ejection: Option<Ejection>,
    /// How many retries at a time, instead of a fixed number.
    pub retries: Option<RetryShare>,
    /// TLS towards its endpoints.
    pub tls: Option<UpstreamTls>,
    /// Each connection begins with the client's address.
    pub proxy_protocol: Option<ProxyProtocolVersion>,
}

impl UpstreamPolicy {
    /// Whether no endpoint that is not healthy gets requests, however many there are.
    #[must_use]
    pub fn never_panics(&self) -> bool {
        self.ejection.as_ref().is_none_or(|own| own.panic_percent == 0)
    }
}

/// Which endpoint a request goes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Balancing {
    /// The one of two with fewer requests.
    LeastRequest(Option<SlowStart>),
    /// One after the other.
    RoundRobin(Option<SlowStart>),
    /// Any.
    Random,
    /// By a hash of something that it says.
    Hash(HashBalancing),
}

impl Default for Balancing {
    fn default() -> Self {
        Self::LeastRequest(None)
    }
}

/// A new endpoint gets less at first.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowStart {
    /// Until it has its whole share.
    pub window: Duration,
    /// What it starts with, in percent of its share.
    pub minimum_percent: f64,
    /// 1 grows in a line; more grows faster at first.
    pub aggression: f64,
}

/// How many connections and requests, and how long they live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolLimits {
    /// Connections at a time.
    pub connections: Option<u32>,
    /// Requests that wait for a connection.
    pub pending: Option<u32>,
    /// Requests at a time.
    pub requests: Option<u32>,
    /// Retries at a time.
    pub retries: Option<u32>,
    /// Until a connection is there.
    pub connect: Option<Duration>,
    /// A connection without requests; 0 is no limit.
    pub idle: Option<Duration>,
    /// A connection, whatever it is used for.
    pub lifetime: Option<Duration>,
    /// Requests of a connection.
    pub requests_per_connection: Option<u32>,
    /// Requests at a time of an HTTP/2 connection.
    pub streams: Option<u32>,
    /// Probes of a connection on which nothing moves.
    pub keepalive: Option<Probes>,
    /// The version of HTTP, if it is not what the port's protocol says.
    pub version: Option<UpstreamHttp>,
}

/// Probes of a connection on which nothing moves; what is not said is the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Without an answer, until it is dead.
    pub count: Option<u32>,
    /// Seconds until the first.
    pub idle_s: Option<u32>,
    /// Seconds between two.
    pub interval_s: Option<u32>,
}

/// The version of HTTP towards an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamHttp {
    /// HTTP/2.
    Two,
    /// As the client's.
    Client,
}

/// When an endpoint is left out for a while. What is not said is Envoy's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ejection {
    /// Answers of 5xx in a row; 0 is never.
    pub server_errors: Option<u32>,
    /// Answers of 502, 503 and 504 in a row; 0 is never.
    pub gateway_errors: Option<u32>,
    /// Errors of the connection are counted apart; then so many in a row, or as many as Envoy says.
    pub connection_errors: Option<Option<u32>>,
    /// Between two looks.
    pub interval: Option<Duration>,
    /// Times how often it was left out.
    pub base_time: Option<Duration>,
    /// Of the endpoints at a time.
    pub most_percent: Option<u32>,
    /// With fewer healthy ones, all get requests; 0 is never.
    pub panic_percent: u32,
}

/// How many retries at a time, by how many requests there are.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryShare {
    /// Of the requests that are open.
    pub percent: f64,
    /// So many in any case.
    pub minimum: u32,
}

/// TLS towards an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// What the gateway shows, if asked for a certificate.
    pub certificate: Option<CredentialName>,
    /// Whose certificates are good.
    pub trust: UpstreamTrust,
    /// The name that is asked for; none is the request's host.
    pub sni: Option<String>,
    /// Any of these must be in the certificate. If there are none, it is the request's host, and if `sni` is given, any name
    /// is good.
    pub subject_alt_names: Vec<String>,
}

impl UpstreamTls {
    /// Every credential that it names.
    pub fn credentials(&self) -> impl Iterator<Item = CredentialName> + use<> {
        let bundle = match &self.trust {
            UpstreamTrust::Bundle(name) => Some(name.clone()),
            UpstreamTrust::Public | UpstreamTrust::Anybody | UpstreamTrust::Nobody => None,
        };
        self.certificate.clone().into_iter().chain(bundle)
    }

    /// What stands where TLS is asked for and cannot be had.
    #[must_use]
    pub fn impossible() -> Self {
        Self {
            certificate: None,
            trust: UpstreamTrust::Nobody,
            sni: None,
            subject_alt_names: Vec::new(),
        }
    }

    /// Whether some upstream can fulfil it.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.trust != UpstreamTrust::Nobody
    }
}

/// Whose certificates are good for an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamTrust {
    /// Those of public authorities.
    Public,
    /// Those of this bundle.
    Bundle(CredentialName),
    /// Anybody's, with any name.
    Anybody,
    /// Nobody's: no handshake succeeds.
    Nobody,
}

/// The form in which an upstream is told the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocolVersion {
    /// As text.
    V1,
    /// As bytes.
    V2,
}
