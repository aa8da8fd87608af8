//! Who the client is: reads what Envoy recorded about the connection, and uses cached headers for it. A certificate is
//! parsed only when it is new to this worker, or was evicted.

mod cache;
mod chain;
#[cfg(feature = "alone")]
mod properties;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[cfg(feature = "alone")]
use sealgate_core::identity::IdentityConfig;
use sealgate_core::identity::{
    Connection, FILTER_STATE, Policies, Rendered, Sources, Standing, der_from_pem, render,
};
use sealgate_core::port::PortConfig;
use sealgate_core::table::RouteTable;

use self::cache::Cache;
use crate::host::{self, HostError, Side};

/// Counts requests for which a header was left out.
const LEFT_OUT: &str = "sealgate_identity_left_out";

/// The policies for a port's connections, and cached headers.
#[derive(Default)]
pub(crate) struct PortIdentity {
    pub(crate) port: u16,
    policies: Policies,
    cache: RefCell<Cache>,
    has_complained: Cell<bool>,
}

/// The result for a request, from its connection.
pub(crate) enum Verdict {
    /// What upstreams are told; none for nothing.
    Told(Option<Rc<Rendered>>),
    /// Its host requires another kind of connection.
    Misdirected,
}

impl PortIdentity {
    pub(crate) fn new(config: PortConfig) -> Self {
        Self {
            port: config.port,
            policies: Policies::new(config.told),
            ..Self::default()
        }
    }

    /// The same policy for all connections.
    #[cfg(feature = "alone")]
    pub(crate) fn of_all(config: IdentityConfig) -> Self {
        Self {
            policies: Policies::of_all(config),
            ..Self::default()
        }
    }

    /// Needs one property call; none if upstreams are told nothing about connections, and this host requires nothing of
    /// them.
    pub(crate) fn judge(&self, table: &RouteTable, authority: &[u8]) -> Result<Verdict, HostError> {
        if self.policies.is_empty() && table.demand(self.port, authority).is_none() {
            return Ok(Verdict::Told(None));
        }
        let facts = host::property(&["filter_state", FILTER_STATE])?;
        let connection = facts.as_deref().and_then(Connection::parse);
        if !table.admits(self.port, authority, connection.as_ref()) {
            return Ok(Verdict::Misdirected);
        }
        // The connection is older than its listener's description: nothing is known about it.
        let (Some(facts), Some(connection)) = (&facts, connection) else {
            return Ok(Verdict::Told(None));
        };
        // On our own listeners, the chain knows, and Envoy is not asked.
        let is_valid = connection.standing(false) == Standing::Presented && is_validated()?;
        let told = self.told(facts, Some(&connection), connection.standing(is_valid))?;
        Ok(Verdict::Told(Some(told)))
    }

    /// What upstreams are told if all connections have the same policy.
    #[cfg(feature = "alone")]
    pub(crate) fn told_to_all(&self) -> Result<Rc<Rendered>, HostError> {
        let facts = properties::facts()?;
        let connection = Connection::parse(&facts);
        let standing = match &connection {
            None => Standing::None,
            Some(connection) => match connection.standing(false) {
                Standing::Presented => connection.standing(is_validated()?),
                known => known,
            },
        };
        let chain = self.policies.told("").is_some_and(IdentityConfig::wants_chain);
        if chain && standing == Standing::Verified {
            // Not cached: the key does not distinguish chains after the same leaf.
            return Ok(Rc::new(self.rendered(connection.as_ref(), standing)?));
        }
        self.told(&facts, connection.as_ref(), standing)
    }

    fn told(
        &self,
        facts: &[u8],
        connection: Option<&Connection<'_>>,
        standing: Standing,
    ) -> Result<Rc<Rendered>, HostError> {
        let key = (facts, standing == Standing::Verified);
        if let Some(rendered) = self.cache.borrow_mut().get(key) {
            return Ok(rendered);
        }
        let rendered = Rc::new(self.rendered(connection, standing)?);
        self.cache.borrow_mut().put(key, Rc::clone(&rendered));
        Ok(rendered)
    }

    fn rendered(
        &self,
        connection: Option<&Connection<'_>>,
        standing: Standing,
    ) -> Result<Rendered, HostError> {
        let chain = connection.map(|connection| connection.origin.chain);
        let Some(config) = self.policies.told(chain.unwrap_or_default()) else {
            return Ok(Rendered::default());
        };
        let mut leaf = None;
        let mut chain = Vec::new();
        if standing != Standing::None {
            let pem = host::property(&["connection", "peer_certificate"])?.unwrap_or_default();
            leaf = der_from_pem(&pem).ok();
            if config.wants_chain() {
                chain = chain::presented(leaf.as_deref())?;
            }
        }
        let sources = Sources {
            connection: connection.copied(),
            standing,
            leaf: leaf.as_deref(),
            chain: &chain,
        };
        let rendered = render(config, &sources);
        self.complain(&rendered);
        Ok(rendered)
    }

    /// Logs what is missing, once: the next certificate is likely the same.
    fn complain(&self, rendered: &Rendered) {
        let is_fine = rendered.left_out.is_empty() && !rendered.unreadable;
        if !is_fine && !self.has_complained.replace(true) {
            host::error(&format!(
                "sealgate: of a client's certificate, not everything is told: left out {:?}, unreadable: {}",
                rendered.left_out, rendered.unreadable
            ));
        }
    }
}

/// Whether Envoy says that the certificate is verified.
fn is_validated() -> Result<bool, HostError> {
    let property = host::property(&["connection", "peer_certificate_valid"])?;
    Ok(property.as_deref() == Some(&[1]))
}

/// Tells the upstream.
pub(crate) fn tell(rendered: &Rendered) -> Result<(), HostError> {
    for (name, value) in &rendered.set {
        host::set(Side::Request, name, value)?;
    }
    if let Some(element) = &rendered.append {
        let mut value = host::request_value(Rendered::XFCC)?.unwrap_or_default();
        if !value.is_empty() {
            value.push(b',');
        }
        value.extend_from_slice(element);
        host::set(Side::Request, Rendered::XFCC, &value)?;
    }
    if rendered.remove_xfcc {
        host::remove(Side::Request, Rendered::XFCC)?;
    }
    if !rendered.left_out.is_empty() {
        host::count(LEFT_OUT);
    }
    Ok(())
}

/// RFC 9440, 2.4: a cache cannot know a header that the client never sent, so a response that varies by one gets `vary:
/// *`.
pub(crate) fn vary() -> Result<(), HostError> {
    let vary = host::response_value("vary")?.unwrap_or_default();
    let names = vary.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if names.into_iter().any(|name| {
        Rendered::VARYING
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    }) {
        host::set(Side::Response, "vary", b"*")?;
    }
    Ok(())
}
