//! Rules as they run, and where they come from.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::config::{Destination, HttpRoute};
use sealgate_core::rules::RuleConfig;

use super::reach::Cut;
use crate::{Finding, ObjectRef};

/// A destination that a rule names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    /// `outbound|PORT|SUBSET|HOST`.
    pub(super) cluster: Arc<str>,
    /// The service's host, lower-case and in full.
    pub(super) host: Arc<str>,
    /// Its port.
    pub(super) port: u32,
    /// Empty for all of its endpoints.
    pub(super) subset: Arc<str>,
    /// The VirtualService that names it.
    pub(super) place: ObjectRef,
    /// The place where it does, and the purpose.
    pub(super) spot: Spot,
}

/// What a rule names a destination for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// Requests.
    Http,
    /// Copies of requests.
    Mirror,
    /// Connections, by a rule for TLS.
    Tls,
    /// Connections, by a rule for TCP.
    Tcp,
}

impl Purpose {
    /// What happens if nothing is sent there.
    pub(super) fn lost(self) -> &'static str {
        match self {
            Self::Http => "its requests are answered with 503",
            Self::Mirror => "copies of requests go nowhere",
            Self::Tls | Self::Tcp => "its connections are closed",
        }
    }
}

/// Where a VirtualService names a destination: the first place for each purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// What is sent there.
    pub(super) purpose: Purpose,
    /// The rule, and the place in its list; none if that was not written in this VirtualService, or is not known.
    pub(super) at: Option<(u32, u32)>,
}

impl Spot {
    /// `spec.http[0].mirrors[1].destination`.
    pub(super) fn field(self) -> Option<String> {
        let (rule, at) = self.at?;
        Some(match (self.purpose, at) {
            (Purpose::Http, at) => format!("spec.http[{rule}].route[{at}].destination"),
            (Purpose::Mirror, 0) => format!("spec.http[{rule}].mirror"),
            (Purpose::Mirror, at) => format!("spec.http[{rule}].mirrors[{}].destination", at - 1),
            (Purpose::Tls, at) => format!("spec.tls[{rule}].route[{at}].destination"),
            (Purpose::Tcp, at) => format!("spec.tcp[{rule}].route[{at}].destination"),
        })
    }

    /// The place of a destination in a rule.
    pub(super) fn of(to: &Destination, route: &HttpRoute, rule: Option<usize>) -> Self {
        let is = |own: &Destination| std::ptr::eq(own, to);
        let routed = route.route.iter().position(|own| is(&own.destination));
        let mirrored = || {
            let mut listed = route.mirrors.iter();
            let listed = listed.position(|own| own.destination.as_deref().is_some_and(is));
            listed.map_or(0, |at| at + 1)
        };
        let at = routed.unwrap_or_else(mirrored);
        let at = rule.and_then(|rule| Some((u32::try_from(rule).ok()?, u32::try_from(at).ok()?)));
        Self {
            purpose: if routed.is_some() {
                Purpose::Http
            } else {
                Purpose::Mirror
            },
            at,
        }
    }
}

/// Rules as they run, and what they were made from.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    pub(super) rules: Vec<RuleConfig>,
    /// The destinations that they name.
    pub(super) uses: BTreeSet<Use>,
    /// Hosts of destinations without a port: the service's ports decide.
    pub(super) assumed: BTreeSet<Arc<str>>,
    pub(super) findings: Vec<Finding>,
    /// Rules that are left out.
    pub(super) cut: Vec<Cut>,
    /// The same as they would run, with blocks that are left out; none unless requested.
    pub(super) left_out: Option<Vec<RuleConfig>>,
}

impl Lowered {
    /// Also keeps what is left out.
    pub(super) fn with_left_out() -> Self {
        Self {
            left_out: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Notes a rule that is left out. It is built only if requested.
    pub(super) fn leave_out(&mut self, make: impl FnOnce(&mut Self) -> Option<RuleConfig>) {
        if let Some(mut left_out) = self.left_out.take() {
            left_out.extend(make(self));
            self.left_out = Some(left_out);
        }
    }

    /// Notes a destination that a rule names.
    pub(super) fn add_use(&mut self, of: Use) {
        let first = Use {
            spot: Spot { at: None, ..of.spot },
            ..of.clone()
        };
        let known = self.uses.range(first..).next();
        let is_known = known.is_some_and(|known| {
            known.cluster == of.cluster && known.place == of.place && known.spot.purpose == of.spot.purpose
        });
        if !is_known {
            self.uses.insert(of);
        }
    }
}
