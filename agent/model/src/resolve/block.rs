//! The result for one host of a port: its encoded rules, and their consequences elsewhere.

use std::sync::Arc;

use sealgate_core::rules::{
    Action, DirectAction, Mirror, RouteAction, RuleConfig, RuleOrigin, VirtualHostConfig, mirrors_key,
};
use sealgate_core::table::HostBlock;

use super::hosts::HostRules;
use super::listed::tried;
use super::lowered::{Lowered, Use};
use super::rank::Rank;
use super::reach::Reach;
use super::rules::{Lookup, rules};
use super::stream_route::StreamRoute;
use super::streams;
use crate::Code;
use crate::few::Few;
use crate::resolved::Share;
use crate::{Finding, ObjectRef, Severity};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct HostRoutes {
    /// In the filter's format; none if the host has no rules.
    pub encoded: Option<HostBlock>,
    /// Whether all its requests get 503, because its rules cannot be combined.
    pub(super) is_closed: bool,
    /// How many rules are tried for it.
    pub rules: usize,
    /// The destinations that its rules name.
    pub(super) uses: Few<Use>,
    /// Hosts of destinations without a port, which use the service's only port.
    pub(super) assumed: Few<Arc<str>>,
    /// What needs its own native route or filter.
    pub native: Native,
    /// Which rules no request for this host reaches.
    pub(super) reach: Reach,
    /// Where connections go, if its server passes them on as a whole.
    pub(super) stream: Option<Arc<StreamRoute>>,
    /// Findings from building it.
    pub findings: Vec<Finding>,
}

/// What the filter cannot set per request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Native {
    /// Lists of mirrors, by their key.
    pub mirrors: Vec<(Arc<str>, Arc<[Mirror]>)>,
    /// Whether some rule delays requests.
    pub delays: bool,
}

/// The virtual host of a domain.
pub(super) fn config(
    domain: &str,
    host: &HostRules,
    port: u16,
    lookup: Lookup<'_>,
) -> (VirtualHostConfig, Lowered) {
    let mut lowered = rules(host, port, lookup, Lowered::default());
    let config = VirtualHostConfig {
        domains: vec![domain.to_owned()],
        https_redirect: host.https_redirect,
        rules: std::mem::take(&mut lowered.rules),
    };
    (config, lowered)
}

impl HostRoutes {
    /// Builds the block of a domain.
    pub(super) fn new(domain: &str, host: &HostRules, port: u16, lookup: Lookup<'_>) -> Self {
        if let Some(server) = &host.stream {
            let (route, lowered) = streams::route(domain, (host, server), port, lookup);
            return Self {
                encoded: None,
                is_closed: false,
                rules: 0,
                native: Native::default(),
                reach: Reach::default(),
                uses: lowered.uses.into_iter().collect(),
                assumed: lowered.assumed.into_iter().collect(),
                stream: Some(Arc::new(route)),
                findings: lowered.findings,
            };
        }
        let (config, mut lowered) = config(domain, host, port, lookup);
        let encoded = HostBlock::encode(&config).map_err(|error| {
            // Each rule alone was checked before. If they cannot be combined, none of them is served, and no wider host
            // answers in their place.
            let services = host.services.keys();
            lowered.findings.extend(services.map(|service| Finding {
                severity: Severity::Error,
                code: Code::BadRegex,
                object: service.virtual_service(),
                field: None,
                message: format!(
                    "the routes of {domain} cannot be built: {error}; its requests are answered with 503"
                ),
            }));
        });
        // The owner's rules must not fail because of other namespaces' rules.
        if let (Err(()), Some(own)) = (&encoded, host.owners_alone()) {
            let strangers = lowered.findings.into_iter();
            let strangers =
                strangers.filter(|finding| Some(&finding.object.namespace) != host.owner.as_ref());
            let mut alone = Self::new(domain, &own, port, lookup);
            alone.findings.extend(strangers);
            return alone;
        }
        lowered
            .findings
            .extend(host.strangers().map(|rank| behind(rank, domain, host)));
        let hidden = host.hidden.iter();
        let hidden: Vec<_> = hidden
            .filter_map(|rank| Some((rank, lookup.services.get(rank)?.spec.http.len())))
            .collect();
        let is_closed = encoded.is_err();
        let encoded = encoded.or_else(|()| HostBlock::encode(&closed(domain)).map_err(drop));
        Self {
            encoded: encoded.ok().filter(|_| host.is_answered()),
            is_closed,
            rules: match is_closed {
                true => 1,
                false => tried(&config.rules),
            },
            native: native(&config),
            reach: Reach::new(&config, &lowered.cut, &hidden),
            uses: lowered.uses.into_iter().collect(),
            assumed: lowered.assumed.into_iter().collect(),
            stream: None,
            findings: lowered.findings,
        }
    }

    /// Whether the host has rules for requests or connections.
    pub(super) fn is_served(&self) -> bool {
        self.encoded.is_some() || self.stream.is_some()
    }

    /// Where its connections go, and the VirtualService that says so; none if its requests are routed.
    #[must_use]
    pub fn connections(&self) -> Option<(Option<&ObjectRef>, &[Share])> {
        let stream = self.stream.as_deref()?;
        Some((stream.service.as_ref(), &*stream.shares))
    }
}

/// A virtual host that answers only 503.
pub(super) fn closed(domain: &str) -> VirtualHostConfig {
    let rule = RuleConfig {
        origin: RuleOrigin::default(),
        matches: Vec::new(),
        action: Action::Direct(DirectAction {
            status: 503,
            ..DirectAction::default()
        }),
    };
    VirtualHostConfig {
        domains: vec![domain.to_owned()],
        https_redirect: false,
        rules: vec![rule],
    }
}

fn behind(rank: &Rank, domain: &str, host: &HostRules) -> Finding {
    let owner = host.owner.as_deref().unwrap_or_default();
    Finding {
        severity: Severity::Warning,
        code: Code::BehindOthers,
        object: rank.virtual_service(),
        field: None,
        message: format!(
            "the namespace {owner} had rules for {domain} first: all of them are tried before these, including \
             catch-all rules (--tenancy single merges them by age, as Istio does)"
        ),
    }
}

fn native(config: &VirtualHostConfig) -> Native {
    let routes: Vec<&RouteAction> = config
        .rules
        .iter()
        .filter_map(|rule| match &rule.action {
            Action::Route(route) => Some(&**route),
            Action::Redirect(_) | Action::Direct(_) => None,
        })
        .collect();
    let mirrored = routes.iter().filter(|route| !route.mirrors.is_empty());
    let faults = routes.iter().filter_map(|route| route.fault.as_deref());
    Native {
        mirrors: mirrored
            .map(|route| {
                (
                    mirrors_key(&route.mirrors).into(),
                    route.mirrors.as_slice().into(),
                )
            })
            .collect(),
        delays: faults.into_iter().any(|fault| fault.delay.is_some()),
    }
}
