//! A filter without an agent, configured by users. Envoy's own routes come after it, and no native rules before it:
//! forged headers of clients are removed here, on every request.

mod routing;

use std::collections::BTreeSet;
use std::rc::Rc;

use sealgate_core::decision::{NotFound, Outcome};
use sealgate_core::identity::{CertHeader, IdentityConfig, Rendered, Xfcc};
use sealgate_core::names;
use sealgate_core::plugin::{PluginConfig, PluginReport, Unmatched};
use sealgate_core::request::Request;

use self::routing::Routing;
use crate::host::{self, HeaderPairs, HostError, Side};
use crate::identity::PortIdentity;

/// See the module.
pub(crate) struct Alone {
    identity: PortIdentity,
    /// The prefix of identity headers.
    prefix: String,
    /// Whether a received XFCC header is needed; it is replaced or removed later.
    keeps_xfcc: bool,
    unmatched: Unmatched,
    routing: Option<Routing>,
}

impl Alone {
    /// Reads the user's configuration.
    pub(crate) fn new(text: &[u8]) -> Result<Self, String> {
        let mut report = PluginReport::default();
        let config = PluginConfig::from_json(text, &mut report);
        let routing = Routing::new(&config, &mut report);
        if report.is_refused() {
            let refused = report.problems().iter().filter(|problem| problem.refused);
            let refused: Vec<String> = refused.map(ToString::to_string).collect();
            return Err(refused.join("; "));
        }
        let PluginConfig {
            identity, unmatched, ..
        } = config;
        Ok(Self {
            prefix: identity.prefix.clone(),
            keeps_xfcc: keeps_xfcc(&identity),
            identity: PortIdentity::of_all(identity),
            unmatched,
            routing,
        })
    }

    /// What upstreams are told.
    pub(crate) fn told(&self) -> Result<Rc<Rendered>, HostError> {
        self.identity.told_to_all()
    }

    /// Removes headers that would be taken for the gateway's own, and returns the rest.
    pub(crate) fn take_forged_off(&self, mut headers: HeaderPairs) -> Result<HeaderPairs, HostError> {
        let mut forged = BTreeSet::new();
        headers.retain(|(name, _)| {
            let is_kept = self.keeps_xfcc && name == Rendered::XFCC;
            let is_forged = !is_kept && names::is_forged(name, &self.prefix);
            if is_forged {
                forged.insert(name.clone());
            }
            !is_forged
        });
        for name in forged {
            host::remove(Side::Request, &name)?;
        }
        Ok(headers)
    }

    /// Removes a client's headers that steer Envoy, before a rule does.
    pub(crate) fn take_steering_off<'n>(
        &self,
        headers: impl Iterator<Item = &'n str>,
    ) -> Result<(), HostError> {
        let steering: BTreeSet<&str> = headers.filter(|name| names::is_steering(name)).collect();
        let mut steering = steering.into_iter();
        steering.try_for_each(|name| host::remove(Side::Request, name))
    }

    /// Decides about a request; none if Envoy's own routes do.
    pub(crate) fn decide(&self, request: &impl Request) -> Option<Outcome<'_>> {
        let outcome = match &self.routing {
            Some(routing) => routing.decide(request),
            None => Outcome::NotFound(NotFound::Host),
        };
        match outcome {
            Outcome::NotFound(_) if self.unmatched == Unmatched::Pass => None,
            outcome => Some(outcome),
        }
    }
}

/// In the same cases in which an agent lets Envoy keep the header: only then is its value needed.
fn keeps_xfcc(identity: &IdentityConfig) -> bool {
    identity.xfcc == Xfcc::AppendForward || identity.client_cert == CertHeader::Chain
}
