//! What of an agent's status matters to whoever is called at night: what is wrong, and what will be.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::admin::status::{
    BudgetStatus, CredentialStatus, FindingStatus, HeldState, ProxyRefusalStatus, ProxyStatus, Status,
    WatchStatus,
};
use crate::cli::plural;

/// A proxy that has not confirmed a certificate for so long does not only take its time.
const LONG_BEHIND: Duration = Duration::seconds(30);
/// From this share of a budget on it is said that it will be used up, as the finding `near-budget` does.
const NEAR_PERCENT: u64 = 80;

/// See the module.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusReport {
    /// Whether nothing needs attention.
    pub(super) well: bool,
    /// What does.
    pub(super) concerns: Vec<Concern>,
    pub(super) source: SourceReport,
    /// How many Gateways are served.
    pub(super) gateways: usize,
    /// How many certificates and trust bundles are in each state.
    pub(super) credentials: BTreeMap<String, usize>,
    /// How many proxies are in each state.
    pub(super) proxy_states: BTreeMap<&'static str, usize>,
    /// The worst first.
    pub(super) proxies: Shown<ProxyReport>,
    /// How many findings there are of each severity.
    pub(super) severities: BTreeMap<String, usize>,
    /// The worst first.
    pub(super) refusals: Shown<FindingStatus>,
    /// What is served and expires, the soonest first.
    pub(super) expiring: Shown<ExpiryReport>,
    /// Budgets that are nearly used up, the fullest first.
    pub(super) budgets: Shown<BudgetReport>,
}

/// Something that needs attention.
#[derive(Debug, Serialize)]
pub(super) struct Concern {
    /// `source`, `proxies`, `refusals`, `expiry` or `budgets`.
    pub(super) about: &'static str,
    pub(super) message: String,
}

/// The first of a list.
#[derive(Debug, Serialize)]
pub(super) struct Shown<T> {
    /// How many there are.
    pub(super) total: usize,
    pub(super) first: Vec<T>,
}

impl<T> Shown<T> {
    fn new(mut all: Vec<T>, most: usize) -> Self {
        let total = all.len();
        all.truncate(most);
        Self { total, first: all }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct SourceReport {
    pub(super) synced: bool,
    pub(super) up: bool,
    /// The watches that are not followed.
    pub(super) watches: Vec<WatchStatus>,
}

#[derive(Debug, Serialize)]
pub(super) struct ProxyReport {
    pub(super) node: String,
    pub(super) state: HeldState,
    pub(super) connected: bool,
    /// Since when it is connected, or gone.
    pub(super) since: Option<String>,
    /// The certificates that it has not confirmed.
    pub(super) behind: Shown<BehindReport>,
    /// What it refuses.
    pub(super) refuses: Vec<ProxyRefusalStatus>,
}

/// A certificate that a proxy has not confirmed.
#[derive(Debug, Serialize)]
pub(super) struct BehindReport {
    pub(super) credential: String,
    /// Since when it could have.
    pub(super) since: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExpiryReport {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) not_after: String,
    pub(super) days_left: Option<i64>,
    /// What its dates give reason to say: codes of findings.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct BudgetReport {
    #[serde(flatten)]
    pub(super) budget: BudgetStatus,
    pub(super) percent: u64,
}

impl StatusReport {
    /// With so many of each at most.
    pub(super) fn new(status: Status, most: usize, now: OffsetDateTime) -> Self {
        let mut proxies = proxies(&status, most);
        let expiring = expiring(&status.credentials);
        let budgets = budgets(&status.budgets);
        let mut concerns = source_concerns(&status);
        concerns.extend(proxy_concerns(&proxies, now));
        concerns.extend(finding_concern(&status.refusals));
        concerns.extend(expiring.iter().filter_map(expiry_concern));
        concerns.extend(budgets.iter().map(budget_concern));
        proxies.sort_by_key(|proxy| (Reverse(urgency(proxy.state)), proxy.node.clone()));
        let mut watches = status.source.watches;
        watches.retain(|watch| watch.state != "following");
        Self {
            well: concerns.is_empty(),
            concerns,
            source: SourceReport {
                synced: status.synced,
                up: status.source.up,
                watches,
            },
            gateways: status.gateways.len(),
            credentials: counted(status.credentials.iter().map(|own| own.state.clone())),
            proxy_states: counted(proxies.iter().map(|proxy| proxy.state.as_str())),
            proxies: Shown::new(proxies, most),
            severities: counted(status.refusals.iter().map(|own| own.severity.clone())),
            refusals: Shown::new(status.refusals, most),
            expiring: Shown::new(expiring, most),
            budgets: Shown::new(budgets, most),
        }
    }
}

fn counted<K: Ord>(all: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    all.for_each(|own| *counts.entry(own).or_default() += 1);
    counts
}

/// Who is gone is of the least interest: what it has serves nobody.
fn urgency(state: HeldState) -> u8 {
    match state {
        HeldState::Gone => 0,
        HeldState::Current => 1,
        HeldState::Behind => 2,
        HeldState::Refused => 3,
    }
}

fn proxies(status: &Status, most: usize) -> Vec<ProxyReport> {
    let refused_by = |node: &str| {
        let all = status.proxy_refusals.iter();
        all.filter(|own| own.node == node).cloned().collect()
    };
    let mut behind = behind(status);
    let proxies = status.proxies.iter();
    proxies
        .map(|proxy| ProxyReport {
            node: proxy.node.clone(),
            state: proxy.state,
            connected: proxy.connected,
            since: proxy.since.clone(),
            behind: Shown::new(behind.remove(&*proxy.node).unwrap_or_default(), most),
            refuses: refused_by(&proxy.node),
        })
        .collect()
}

/// The certificates that each proxy has not confirmed, and has not refused, the oldest first.
fn behind(status: &Status) -> BTreeMap<&str, Vec<BehindReport>> {
    let since: BTreeMap<&str, &ProxyStatus> =
        status.proxies.iter().map(|proxy| (&*proxy.node, proxy)).collect();
    let mut behind: BTreeMap<&str, Vec<BehindReport>> = BTreeMap::new();
    for credential in &status.credentials {
        let held = credential.proxies.iter();
        for held in held.filter(|held| held.state == HeldState::Behind) {
            let connected = since.get(&*held.node).and_then(|proxy| proxy.since.as_deref());
            behind.entry(&held.node).or_default().push(BehindReport {
                credential: credential.name.clone(),
                since: later(credential.last_rotated.as_deref(), connected),
            });
        }
    }
    for own in behind.values_mut() {
        own.sort_by_key(|behind| behind.since.as_deref().and_then(parsed));
    }
    behind
}

fn parsed(time: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(time, &Rfc3339).ok()
}

/// The later of two times.
fn later(one: Option<&str>, other: Option<&str>) -> Option<String> {
    let times = [one, other].into_iter().flatten();
    times.max_by_key(|time| parsed(time)).map(str::to_owned)
}

/// What is served and expires, the soonest first.
fn expiring(credentials: &[CredentialStatus]) -> Vec<ExpiryReport> {
    let dated = credentials.iter().filter(|own| own.served);
    let dated = dated.filter_map(|own| {
        Some(ExpiryReport {
            name: own.name.clone(),
            kind: own.kind.clone(),
            not_after: own.not_after.clone()?,
            days_left: own.days_left,
            warnings: own.warnings.clone(),
        })
    });
    let mut all: Vec<_> = dated.collect();
    // What says something of its dates first: a revocation list may have expired whose certificate has not.
    all.sort_by_key(|own| (own.warnings.is_empty(), parsed(&own.not_after)));
    all
}

fn budgets(budgets: &[BudgetStatus]) -> Vec<BudgetReport> {
    let shares = budgets.iter().map(|budget| BudgetReport {
        percent: budget.used.saturating_mul(100) / budget.limit.max(1),
        budget: budget.clone(),
    });
    let mut near: Vec<_> = shares.filter(|own| own.percent >= NEAR_PERCENT).collect();
    near.sort_by_key(|own| Reverse(own.percent));
    near
}

fn concern(about: &'static str, message: impl Into<String>) -> Concern {
    Concern {
        about,
        message: message.into(),
    }
}

fn source_concerns(status: &Status) -> Vec<Concern> {
    let mut concerns = Vec::new();
    if !status.synced {
        concerns.push(concern("source", "not all objects have been listed yet"));
    }
    let failed = status.source.watches.iter().filter(|own| own.state == "failed");
    concerns.extend(failed.map(|own| {
        let message = own.message.as_deref().unwrap_or_default();
        concern("source", format!("{}: {message}", own.name))
    }));
    concerns
}

fn proxy_concerns(proxies: &[ProxyReport], now: OffsetDateTime) -> Vec<Concern> {
    let connected = || proxies.iter().filter(|proxy| proxy.connected);
    let mut concerns = Vec::new();
    if connected().next().is_none() {
        concerns.push(concern("proxies", "no proxy is connected"));
    }
    for proxy in connected() {
        let node = &proxy.node;
        if proxy.state == HeldState::Refused {
            concerns.push(concern("proxies", format!("{node} rejects what it was sent")));
        }
        let oldest = proxy.behind.first.first();
        let since = oldest.and_then(|oldest| parsed(oldest.since.as_deref()?));
        if since.is_some_and(|since| now - since > LONG_BEHIND) {
            let behind = plural(proxy.behind.total, "certificate");
            let message = format!("{node} has not confirmed {behind} for more than {LONG_BEHIND}");
            concerns.push(concern("proxies", message));
        }
    }
    concerns
}

fn finding_concern(refusals: &[FindingStatus]) -> Option<Concern> {
    let errors = refusals.iter().filter(|own| own.severity == "error").count();
    (errors > 0).then(|| {
        let verb = if errors == 1 { "is an error" } else { "are errors" };
        concern("refusals", format!("{} {verb}", plural(errors, "finding")))
    })
}

fn expiry_concern(own: &ExpiryReport) -> Option<Concern> {
    let warnings = own.warnings.join(", ");
    (!warnings.is_empty()).then(|| concern("expiry", format!("{}: {warnings}", own.name)))
}

fn budget_concern(own: &BudgetReport) -> Concern {
    let BudgetStatus {
        namespace, resource, ..
    } = &own.budget;
    let message = format!("{namespace} uses {}% of its {resource}", own.percent);
    concern("budgets", message)
}

#[cfg(test)]
mod tests;
