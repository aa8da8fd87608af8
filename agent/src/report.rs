//! What the engine shows as `/api/status`, `certs` and `check` say it.

use std::collections::BTreeMap;

use sealgate_model::budget::{BudgetItem, Usage};
use sealgate_model::{Code, CredentialName, Finding, Severity};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::admin::status::{
    BudgetStatus, CredentialStatus, FindingStatus, GatewayStatus, HeldBy, OnDemandStatus, ProxyStatus,
    SourceStatus, Status, TypeStatus, WatchStatus,
};
use crate::credential::{CertificateFacts, Credential, CredentialOutcome};
use crate::credentials::CredentialRecord;
use crate::engine::View;
use crate::snapshot::TypeUrl;
use crate::source::health::{Health, WatchHealth};
use crate::xds::proxies::{Proxies, Proxy};

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
    let proxies = &proxies.list();
    Status {
        synced: view.synced,
        source: source(health),
        publications: view.publications,
        gateways: view
            .gateways
            .iter()
            .map(|(rank, gateway)| GatewayStatus {
                name: format!("{}/{}", rank.namespace, rank.name),
                servers: gateway.described.clone(),
            })
            .collect(),
        credentials: credentials(view, proxies),
        proxies: proxies
            .iter()
            .map(|(node, proxy)| proxy_status(node, proxy))
            .collect(),
        on_demand,
        budgets: budgets(view),
        refusals: view
            .findings()
            .iter()
            .filter(|found| found.severity != Severity::Info)
            .map(finding)
            .collect(),
    }
}

fn source(health: &Health) -> SourceStatus {
    let watch = |(name, watch): (String, WatchHealth)| WatchStatus {
        name,
        state: watch.state.as_str().to_owned(),
        message: watch.message,
    };
    SourceStatus {
        up: health.is_up(),
        watches: health.watches().into_iter().map(watch).collect(),
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

/// Every credential.
#[must_use]
pub fn credentials(view: &View, proxies: &Nodes) -> Vec<CredentialStatus> {
    let records = view.credentials.iter();
    records
        .map(|(name, record)| credential(view, name, record, proxies))
        .collect()
}

/// One finding.
#[must_use]
pub fn finding(finding: &Finding) -> FindingStatus {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    FindingStatus {
        severity: severity.to_owned(),
        code: finding.code.as_str().to_owned(),
        object: finding.object.to_string(),
        field: finding.field.clone(),
        message: finding.message.clone(),
    }
}

fn credential(
    view: &View,
    name: &CredentialName,
    record: &CredentialRecord,
    proxies: &Nodes,
) -> CredentialStatus {
    let (state, reason, message) = match record.outcome() {
        Some(CredentialOutcome::Ready(_)) => ("ready", None, None),
        Some(CredentialOutcome::Pending(reason)) => ("pending", Some(*reason), None),
        Some(CredentialOutcome::Refused(error)) => ("refused", Some(error.code()), Some(error.to_string())),
        Some(CredentialOutcome::Ignored(reason)) => ("ignored", Some(*reason), None),
        None => ("pending", Some(Code::Deleted), None),
    };
    let mut status = CredentialStatus {
        name: name.to_string(),
        state: state.to_owned(),
        kind: if name.is_bundle() {
            "trustBundle"
        } else {
            "keyPair"
        }
        .to_owned(),
        reason: reason.map(|code| code.as_str().to_owned()),
        message,
        served: record.good.is_some(),
        ..CredentialStatus::default()
    };
    if let Some(good) = &record.good {
        describe(good, &mut status);
        confirm(view, name, proxies, &mut status);
    }
    status
}

fn describe(good: &Credential, status: &mut CredentialStatus) {
    let facts: &[CertificateFacts] = match good {
        Credential::KeyPair(pair) => std::slice::from_ref(pair.facts()),
        Credential::TrustBundle(bundle) => bundle.facts(),
    };
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

/// Which proxies hold it, and how long the slowest connected one took. The wire's version is the resource's own.
fn confirm(view: &View, name: &CredentialName, proxies: &Nodes, status: &mut CredentialStatus) {
    let Some(rotation) = view.rotations.get(name) else {
        return;
    };
    status.last_rotated = rotation.time.format(&Rfc3339).ok();
    let canonical = name.to_string();
    let mut slowest = None;
    for (node, proxy) in proxies {
        let subscribed = proxy.held.get(&TypeUrl::Secret);
        let subscribed = subscribed.and_then(|held| held.get(canonical.as_str()));
        let asked_for = proxy.on_demand.get(canonical.as_str());
        // In both ways: whichever is behind.
        let both = || subscribed.into_iter().chain(asked_for);
        let Some(held) = both().min_by_key(|held| (held.refused.is_none(), held.since >= rotation.at)) else {
            continue;
        };
        status.proxies.push(HeldBy {
            node: node.clone(),
            version: Some(held.version.to_string()),
            refused: held.refused.clone(),
        });
        for held in both().filter(|held| proxy.streams > 0 && !held.asked) {
            slowest = slowest.max(held.since.checked_duration_since(rotation.at));
        }
    }
    status.rotation_ms = slowest.map(|took| took.as_secs_f64() * 1000.0);
}

fn proxy_status(node: &str, proxy: &Proxy) -> ProxyStatus {
    let types = TypeUrl::ALL
        .into_iter()
        .filter(|kind| proxy.held.contains_key(kind) || proxy.refused.contains_key(kind));
    ProxyStatus {
        node: node.to_owned(),
        connected: proxy.streams > 0,
        types: types
            .map(|kind| TypeStatus {
                r#type: kind.short().to_owned(),
                acknowledged: proxy
                    .held
                    .get(&kind)
                    .into_iter()
                    .flatten()
                    .map(|(name, held)| (name.to_string(), held.version.to_string()))
                    .collect(),
                refused: proxy.refused.get(&kind).cloned(),
            })
            .collect(),
    }
}
