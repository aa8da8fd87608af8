//! A destination as an upstream: its service, its port, and its endpoints.

mod distribution;
mod endpoints;
mod entry;
mod port_words;
mod service;
mod tls;

use std::sync::Arc;

use self::port_words::{is_http2, is_tls};
use self::service::ServiceView;
use self::tls::TlsDecision;
use super::catalog::{Catalog, Known};
use super::lowered::{Purpose, Spot, Use};
use super::placement::{Order, PlacedEndpoint, arrange, is_of_topology};
use super::pods::SubsetLabels;
use super::rule_book::{AppliedRules, KnownPolicy};
use super::world::World;
use crate::few::Few;
use crate::resolved::{EndpointSource, Endpoints, Upstream, UpstreamPolicy, UpstreamTls};
use crate::traffic_policy::{self, PolicyProblems};
use crate::{Code, CredentialName};

/// A finding for each VirtualService that names the destination.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) code: Code,
    message: String,
    /// Whether nothing is sent there.
    is_lost: bool,
    /// Whether it matters only to requests, not to connections that are passed on.
    for_requests: bool,
}

impl Doubt {
    pub(super) fn new(code: Code, message: String) -> Self {
        Self {
            code,
            message,
            is_lost: false,
            for_requests: false,
        }
    }

    /// A finding about a destination to which nothing is sent.
    pub(super) fn lost(code: Code, message: String) -> Self {
        Self {
            is_lost: true,
            ..Self::new(code, message)
        }
    }

    /// A finding that matters only to requests.
    fn of_requests(code: Code, message: String) -> Self {
        Self {
            for_requests: true,
            ..Self::new(code, message)
        }
    }

    /// Whether it matters for the purpose that a VirtualService names the destination for.
    pub(super) fn matters(&self, spot: Spot) -> bool {
        !self.for_requests || matches!(spot.purpose, Purpose::Http | Purpose::Mirror)
    }

    /// The message for a VirtualService that names the destination there.
    pub(super) fn message(&self, spot: Spot) -> String {
        if !self.is_lost {
            return self.message.clone();
        }
        format!("{}: {}", self.message, spot.purpose.lost())
    }
}

type Doubts = Vec<Doubt>;

/// How many of the endpoints that are left out a finding names.
const MOST_NAMED: usize = 5;

/// What the upstreams of all destinations depend on.
#[derive(Clone, Copy)]
pub(super) struct UpstreamTerms<'t> {
    pub(super) catalog: &'t Catalog,
    pub(super) world: World<'t>,
}

/// The result for a destination.
#[derive(Debug)]
pub(super) struct SettledUpstream {
    pub(super) upstream: Upstream,
    pub(super) doubts: Vec<Doubt>,
    /// Whether it requires TLS that is impossible.
    pub(super) is_encryption_lost: bool,
    /// The credentials of its TLS, whether they exist or not.
    pub(super) wants: Few<CredentialName>,
    /// The namespace whose policy decides which endpoint a request goes to.
    pub(super) balanced_by: Option<Arc<str>>,
    /// The namespace whose pods decide which endpoints it has, or where they are.
    pub(super) pods: Option<Arc<str>>,
}

/// What was found about the endpoints of a destination.
#[derive(Default)]
struct FoundEndpoints<'f> {
    /// The protocol of its port.
    protocol: &'f str,
    source: EndpointSource,
    endpoints: Vec<PlacedEndpoint<'f>>,
}

/// A destination's port, and where its endpoints are.
struct FoundPort {
    /// HTTP/2 towards the endpoints.
    http2: bool,
    /// Its name or protocol says that it expects TLS.
    for_tls: bool,
    endpoints: Endpoints,
}

/// The upstream of a destination, given the previous one.
pub(super) fn upstream(of: &Use, before: Option<&Upstream>, terms: UpstreamTerms<'_>) -> SettledUpstream {
    let rules = terms.catalog.rules(&of.host);
    let mut doubts = Doubts::new();
    let nothing = Known::default();
    let known = terms.catalog.get(&of.host).unwrap_or(&nothing);
    let merged = rules.policy(&of.subset, of.port);
    let before = before.and_then(|before| before.policy.as_ref()?.tls.as_ref());
    let decision = merged
        .as_ref()
        .map(|policy| tls::decide(of, known, policy, before, terms));
    let TlsDecision {
        tls,
        is_lost,
        doubt,
        wants,
    } = decision.unwrap_or_default();
    let balanced_by = merged
        .as_ref()
        .map(|policy| Arc::clone(&policy.balanced_by.namespace));
    let is_decided = merged.as_ref().is_some_and(|policy| policy.merged.tls.is_some());
    let pods = pods_of(of, (known, &rules), merged.as_ref());
    let policy = merged.map(|policy| Box::new(lowered(&policy, tls)));
    let has_pods = pods.is_some();
    let port = endpoints(
        of,
        (known, &rules),
        (policy.as_deref(), has_pods),
        terms,
        &mut doubts,
    );
    doubts.extend(doubt);
    doubts.extend((port.for_tls && !is_decided).then(|| plain_to_tls(of)));
    let upstream = Upstream {
        name: Arc::clone(&of.cluster),
        http2: port.http2,
        policy,
        endpoints: match is_lost {
            true => Endpoints::default(),
            false => port.endpoints,
        },
    };
    SettledUpstream {
        upstream,
        doubts,
        is_encryption_lost: is_lost,
        wants,
        balanced_by,
        pods,
    }
}

/// Its endpoints, and how to connect to them.
fn endpoints(
    of: &Use,
    (known, rules): (&Known, &AppliedRules<'_>),
    (policy, has_pods): (Option<&UpstreamPolicy>, bool),
    terms: UpstreamTerms<'_>,
    doubts: &mut Doubts,
) -> FoundPort {
    let catalog = terms.catalog;
    let labels = subset(of, rules, doubts);
    let own = catalog.position();
    let service = known.service.as_ref().filter(|_| known.entry().is_none());
    let wished = service.and_then(|(meta, service)| distribution::wished(meta, service));
    // Nothing is near to a gateway without a locality.
    let wished = wished.filter(|_| !own.locality.is_empty());
    let order = Order::new(policy, wished.as_ref());
    let mut found = if let Some(entry) = known.entry() {
        entry::find(of, entry, catalog.selected(known), labels, doubts)
    } else if let Some((meta, service)) = service {
        let view = ServiceView {
            of,
            meta,
            service,
            known,
            catalog,
            labels,
            has_pods,
            is_hinted: order.is_equal() && policy.is_none_or(|policy| policy.placement.is_none()),
            // If Envoy gives up health checking at few healthy endpoints, those that are not ready must not get
            // requests.
            counts_unready: !order.is_equal() && policy.is_none_or(UpstreamPolicy::never_panics),
        };
        doubts.extend(pods_unknown(view, order));
        view.found(doubts)
    } else {
        let message = format!("there is no Service or ServiceEntry {}", of.host);
        doubts.push(Doubt::lost(Code::UnknownDestination, message));
        FoundEndpoints::default()
    };
    let mut refused = Vec::new();
    let addresses = catalog.addresses();
    found
        .endpoints
        .retain(|placed| addresses.allows(&placed.endpoint, &mut refused));
    doubts.extend(barred(&of.host, &refused).map(|message| Doubt::new(Code::BarredAddress, message)));
    if found.source == EndpointSource::Pushed {
        without_repeats(&mut found.endpoints);
    }
    let source = match (found.source, found.endpoints.len()) {
        (EndpointSource::RoundRobinDns, 0 | 2..) => EndpointSource::Dns,
        (source, _) => source,
    };
    FoundPort {
        http2: is_http2(found.protocol),
        for_tls: is_tls(found.protocol),
        endpoints: Endpoints {
            source,
            by_weight: order.is_by_weight(),
            groups: arrange(found.endpoints, own, order),
        },
    }
}

/// A finding if labels of Pods decide, and they are unknown.
fn pods_unknown(view: ServiceView<'_>, order: Order<'_>) -> Option<Doubt> {
    let Order::Nearest(near) = order else {
        return None;
    };
    let label = near.labels.iter().find(|label| !is_of_topology(&label.key))?;
    let namespace = &view.meta.namespace;
    (!view.catalog.pods().has(namespace)).then(|| {
        let message = format!(
            "{}: no Pod in the namespace {namespace} has been read: endpoints are treated as not having the label {}",
            view.of.host, label.key
        );
        Doubt::new(Code::PodsUnknown, message)
    })
}

fn plain_to_tls(of: &Use) -> Doubt {
    let message = format!(
        "port {} of {} is for TLS by its name or protocol, but no DestinationRule asks for TLS: requests are sent in plain \
         text",
        of.port, of.host
    );
    Doubt::of_requests(Code::PlainToTlsPort, message)
}

fn lowered(policy: &KnownPolicy<'_>, tls: Option<UpstreamTls>) -> UpstreamPolicy {
    // Its problems are reported for its own object.
    let mut said = PolicyProblems::default();
    UpstreamPolicy {
        tls,
        ..traffic_policy::lower(&policy.merged, &mut said)
    }
}

/// The message about endpoints that are left out, the first few by name.
fn barred(host: &str, refused: &[String]) -> Option<String> {
    let (named, rest) = refused.split_at_checked(MOST_NAMED).unwrap_or((refused, &[]));
    let named = named.join("; ");
    match (refused.len(), rest.len()) {
        (0, _) => None,
        (_, 0) => Some(format!("{host}: no request is sent to {named}")),
        (_, more) => Some(format!(
            "{host}: no request is sent to {named}; nor to {more} more"
        )),
    }
}

/// The namespace of a Service, if the subset has labels, or the policy asks for regions or labels.
fn pods_of(
    of: &Use,
    (known, rules): (&Known, &AppliedRules<'_>),
    policy: Option<&KnownPolicy<'_>>,
) -> Option<Arc<str>> {
    let (meta, _) = known.service.as_ref().filter(|_| known.entry().is_none())?;
    let subset = rules.subset(&of.subset);
    let is_asked = subset.is_some_and(|(_, subset)| !subset.labels.is_empty())
        || policy.is_some_and(|policy| traffic_policy::needs_pods(&policy.merged));
    is_asked.then(|| Arc::clone(&meta.namespace))
}

/// The labels of a subset with all endpoints.
static NO_LABELS: SubsetLabels = SubsetLabels::new();

fn subset<'r>(of: &Use, rules: &AppliedRules<'r>, doubts: &mut Doubts) -> &'r SubsetLabels {
    if of.subset.is_empty() {
        return &NO_LABELS;
    }
    if let Some((_, subset)) = rules.subset(&of.subset) {
        return &subset.labels;
    }
    let message = format!(
        "no DestinationRule has a subset {} of {}: all endpoints are used",
        of.subset, of.host
    );
    doubts.push(Doubt::new(Code::UnknownSubset, message));
    &NO_LABELS
}

fn port_number(port: u32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port > 0)
}

/// An endpoint that is in two slices counts once.
fn without_repeats(endpoints: &mut Vec<PlacedEndpoint<'_>>) {
    endpoints.sort_by(|one, other| one.endpoint.cmp(&other.endpoint));
    endpoints.dedup_by(|next, own| {
        let own = &own.endpoint;
        next.endpoint.address == own.address && next.endpoint.port == own.port
    });
}
