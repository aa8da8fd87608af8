//! What the engine shows as `/api/status`, `certs` and `check` say it.

mod holders;

use std::collections::{BTreeMap, BTreeSet};

use sealgate_model::budget::{BudgetItem, Usage};
use sealgate_model::{Code, CredentialName, Severity};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::admin::status::{
    BucketStatus, BudgetStatus, CredentialStatus, FindingStatus, GatewayStatus, HeldState, OnDemandStatus,
    ProxyRefusalStatus, ProxyStatus, RotationsStatus, SourceStatus, Status, TypeStatus, WatchStatus,
};
use crate::credential::{Credential, CredentialOutcome};
use crate::credentials::CredentialRecord;
use crate::engine::View;
use crate::snapshot::TypeUrl;
use crate::source::health::{Health, WatchHealth};
use crate::xds::proxies::{ByNode, Proxies, Proxy, TimeBuckets};

use self::holders::Holders;

type Nodes = BTreeMap<String, Proxy>;

/// Everything.
#[must_use]
pub fn status(view: &View, proxies: &Proxies, health: &Health) -> Status {
    let counts = proxies.on_demand();
    let on_demand = OnDemandStatus {
        resident: counts.resident(),
        unknown: counts.unknown(),
        taken_back: counts.taken_back(),
    };
    let rotations = rotations(&proxies.rotations().buckets());
    let (proxies, refused) = (&proxies.list(), &proxies.refusals().by_node());
    let holders = Holders::new(proxies, refused);
    let credentials = described(view, &holders);
    Status {
        synced: view.synced,
        source: source(health),
        publications: view.publications,
        rotations,
        gateways: view
            .gateways
            .iter()
            .map(|(rank, gateway)| GatewayStatus {
                name: format!("{}/{}", rank.namespace, rank.name),
                servers: gateway.described.clone(),
            })
            .collect(),
        proxies: proxies
            .iter()
            .map(|(node, proxy)| proxy_status(node, proxy, &credentials))
            .collect(),
        credentials,
        proxy_refusals: proxy_refusals(proxies, refused),
        on_demand,
        budgets: budgets(view),
        refusals: view
            .findings()
            .iter()
            .filter(|found| found.severity != Severity::Info)
            .map(FindingStatus::from)
            .collect(),
    }
}

fn source(health: &Health) -> SourceStatus {
    let watch = |(name, watch): (String, WatchHealth)| WatchStatus {
        name,
        state: watch.state.as_str().to_owned(),
        message: watch.message,
        since: watch.since.format(&Rfc3339).ok(),
        failures: watch.failures,
    };
    SourceStatus {
        up: health.is_up(),
        watches: health.watches().into_iter().map(watch).collect(),
    }
}

fn rotations(times: &TimeBuckets) -> RotationsStatus {
    let buckets = times.buckets.iter().map(|(bound, count)| BucketStatus {
        at_most_seconds: bound.is_finite().then_some(*bound),
        count: *count,
    });
    RotationsStatus {
        buckets: buckets.collect(),
        sum_seconds: times.sum.as_secs_f64(),
    }
}

fn budgets(view: &View) -> Vec<BudgetStatus> {
    let usage = view.usage.iter().flat_map(Usage::iter);
    let all = usage.flat_map(|(namespace, cost)| {
        let used = BudgetItem::all().map(|resource| (resource, cost.of(resource)));
        used.filter(|(_, used)| *used > 0)
            .map(|(resource, used)| BudgetStatus {
                namespace: namespace.to_string(),
                resource: resource.word().to_owned(),
                used,
                limit: view.budgets.each(resource),
            })
    });
    all.collect()
}

/// Every credential, as nobody holds it.
#[must_use]
pub fn credentials(view: &View) -> Vec<CredentialStatus> {
    described(view, &Holders::default())
}

/// Every credential that there is or was a Secret of, or that a Gateway names.
fn described(view: &View, holders: &Holders<'_>) -> Vec<CredentialStatus> {
    let known = view.credentials.iter();
    let known = known.map(|(name, record)| (name, credential(view, name, record, holders)));
    let named = view
        .wanted
        .iter()
        .filter(|name| !view.credentials.contains_key(*name));
    let mut all: BTreeMap<_, _> = known.collect();
    all.extend(named.map(|name| (name, missing(name))));
    all.into_values().collect()
}

/// What connected proxies refuse, each resource by itself where that is known.
fn proxy_refusals(proxies: &Nodes, refused: &ByNode) -> Vec<ProxyRefusalStatus> {
    let single = refused
        .iter()
        .map(|((node, (kind, name)), refused)| ProxyRefusalStatus {
            node: node.clone(),
            r#type: kind.short().to_owned(),
            name: Some(name.to_string()),
            version: refused.version.as_deref().map(str::to_owned),
            reason: refused.reason.clone(),
            since: refused.since.format(&Rfc3339).ok(),
        });
    let connected = proxies.iter().filter(|(_, proxy)| proxy.streams > 0);
    let types = connected.flat_map(|(node, proxy)| proxy.refused.iter().map(move |said| (node, said)));
    let is_known =
        |node: &str, kind: TypeUrl| refused.keys().any(|(own, (of, _))| own == node && *of == kind);
    let several = types
        .filter(|(node, (kind, _))| !is_known(node, **kind))
        .map(|(node, (kind, reason))| ProxyRefusalStatus {
            node: node.clone(),
            r#type: kind.short().to_owned(),
            reason: reason.clone(),
            ..ProxyRefusalStatus::default()
        });
    single.chain(several).collect()
}

fn credential(
    view: &View,
    name: &CredentialName,
    record: &CredentialRecord,
    holders: &Holders<'_>,
) -> CredentialStatus {
    let (state, reason, message) = match record.outcome() {
        Some(CredentialOutcome::Ready(_)) => ("ready", None, None),
        Some(CredentialOutcome::Pending(reason)) => ("pending", Some(*reason), None),
        Some(CredentialOutcome::Refused(error)) => ("refused", Some(error.code()), Some(error.to_string())),
        Some(CredentialOutcome::Ignored(reason)) => ("ignored", Some(*reason), None),
        None if record.is_unread() => ("pending", Some(Code::Unreadable), None),
        None => ("pending", Some(Code::Deleted), None),
    };
    let mut status = CredentialStatus {
        name: name.to_string(),
        state: state.to_owned(),
        kind: kind(name).to_owned(),
        reason: reason.map(|code| code.as_str().to_owned()),
        message,
        served: record.good.is_some(),
        warnings: warnings(record),
        ..CredentialStatus::default()
    };
    if let Some(good) = &record.good {
        describe(good, &mut status);
        if let Some(rotation) = view.rotations.get(name) {
            status.last_rotated = rotation.time.format(&Rfc3339).ok();
            holders.tell(name, rotation.at, &mut status);
        }
    }
    status
}

/// One that a Gateway names, and of which there is no Secret.
fn missing(name: &CredentialName) -> CredentialStatus {
    CredentialStatus {
        name: name.to_string(),
        state: "pending".to_owned(),
        kind: kind(name).to_owned(),
        reason: Some(Code::CredentialNotReady.as_str().to_owned()),
        message: Some("there is no such Secret".to_owned()),
        ..CredentialStatus::default()
    }
}

fn kind(name: &CredentialName) -> &'static str {
    if name.is_bundle() {
        "trustBundle"
    } else {
        "keyPair"
    }
}

/// Each code once.
fn warnings(record: &CredentialRecord) -> Vec<String> {
    let codes = record.warnings().iter().map(|finding| finding.code);
    let codes: BTreeSet<_> = codes.collect();
    codes.into_iter().map(|code| code.as_str().to_owned()).collect()
}

fn describe(good: &Credential, status: &mut CredentialStatus) {
    let facts = good.facts();
    status.subjects = facts.iter().map(|own| own.subject.clone()).collect();
    status.version = Some(good.version());
    let Some(soonest) = facts.iter().min_by_key(|own| own.not_after) else {
        return;
    };
    status.dns_names.clone_from(&soonest.dns_names);
    status.issuer = Some(soonest.issuer.clone());
    status.serial = Some(soonest.serial.clone());
    status.sha256 = Some(soonest.sha256.clone());
    status.not_before = soonest.not_before.format(&Rfc3339).ok();
    status.not_after = soonest.not_after.format(&Rfc3339).ok();
    status.days_left = Some((soonest.not_after - OffsetDateTime::now_utc()).whole_days());
    status.key_type = Some(soonest.key_type.clone());
}

/// The worst of its certificates, or of all that it refuses.
fn state(node: &str, proxy: &Proxy, credentials: &[CredentialStatus]) -> HeldState {
    if proxy.streams == 0 {
        return HeldState::Gone;
    }
    if !proxy.refused.is_empty() {
        return HeldState::Refused;
    }
    let held = credentials.iter().flat_map(|credential| &credential.proxies);
    let own = held.filter(|held| held.node == node).map(|held| held.state);
    own.max().unwrap_or_default()
}

fn proxy_status(node: &str, proxy: &Proxy, credentials: &[CredentialStatus]) -> ProxyStatus {
    let types = TypeUrl::ALL.into_iter().filter(|kind| {
        let is_known = [proxy.held.contains_key(kind), proxy.refused.contains_key(kind)];
        let is_counted = [proxy.counts.contains_key(kind), proxy.unjudged.contains_key(kind)];
        is_known.into_iter().chain(is_counted).any(|is| is)
    });
    ProxyStatus {
        node: node.to_owned(),
        connected: proxy.streams > 0,
        since: proxy.since.and_then(|since| since.format(&Rfc3339).ok()),
        state: state(node, proxy, credentials),
        unjudged: proxy.unjudged.values().sum(),
        types: types.map(|kind| type_status(kind, proxy)).collect(),
    }
}

fn type_status(kind: TypeUrl, proxy: &Proxy) -> TypeStatus {
    let held = proxy.held.get(&kind).into_iter().flatten();
    let counts = proxy.counts.get(&kind).copied().unwrap_or_default();
    TypeStatus {
        r#type: kind.short().to_owned(),
        acknowledged: held
            .map(|(name, held)| (name.to_string(), held.version.to_string()))
            .collect(),
        refused: proxy.refused.get(&kind).cloned(),
        confirmations: counts.confirmed,
        refusals: counts.refused,
        unjudged: proxy.unjudged.get(&kind).copied().unwrap_or_default(),
    }
}
