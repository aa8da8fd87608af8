//! Credentials: their states, their dates, and how many proxies have them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{CredentialLabels, Flags, Float, amount};
use crate::admin::status::{CredentialStatus, HeldState};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialStateLabels {
    name: String,
    state: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HolderLabels {
    name: String,
    kind: String,
    state: String,
}

pub(super) fn register(registry: &mut Registry, credentials: &[CredentialStatus]) {
    states(registry, credentials);
    dates(registry, credentials);
    holders(registry, credentials);
}

fn states(registry: &mut Registry, credentials: &[CredentialStatus]) {
    let states = Flags::<CredentialStateLabels>::default();
    for credential in credentials {
        let labels = CredentialStateLabels {
            name: credential.name.clone(),
            state: credential.state.clone(),
            reason: credential.reason.clone().unwrap_or_default(),
        };
        states.get_or_create(&labels).set(1);
    }
    registry.register(
        "credential_state",
        "1 for the current state of a credential",
        states,
    );
}

fn dates(registry: &mut Registry, credentials: &[CredentialStatus]) {
    let days = Family::<CredentialLabels, Float>::default();
    let not_before = Family::<CredentialLabels, Gauge>::default();
    let not_after = Family::<CredentialLabels, Gauge>::default();
    for credential in credentials {
        let labels = CredentialLabels {
            name: credential.name.clone(),
            kind: credential.kind.clone(),
        };
        if let Some(left) = credential.days_left {
            days.get_or_create(&labels).set(left as f64);
        }
        let dates = [
            (&not_before, &credential.not_before),
            (&not_after, &credential.not_after),
        ];
        for (family, date) in dates {
            if let Some(seconds) = date.as_deref().and_then(timestamp) {
                family.get_or_create(&labels).set(seconds);
            }
        }
    }
    registry.register("credential_days_left", "Days until the certificate expires", days);
    registry.register(
        "certificate_not_before_timestamp_seconds",
        "When the served certificate begins to be valid",
        not_before,
    );
    registry.register(
        "certificate_not_after_timestamp_seconds",
        "When the served certificate expires",
        not_after,
    );
}

/// Seconds since 1970.
fn timestamp(date: &str) -> Option<i64> {
    let date = OffsetDateTime::parse(date, &Rfc3339).ok()?;
    Some(date.unix_timestamp())
}

/// For each certificate, the number of proxies in each state: one series for each certificate and proxy would be
/// millions.
fn holders(registry: &mut Registry, credentials: &[CredentialStatus]) {
    let holders = Family::<HolderLabels, Gauge>::default();
    for credential in credentials.iter().filter(|own| own.served) {
        for state in HeldState::ALL {
            let labels = HolderLabels {
                name: credential.name.clone(),
                kind: credential.kind.clone(),
                state: state.as_str().to_owned(),
            };
            let count = credential.proxies.iter().filter(|held| held.state == state);
            holders.get_or_create(&labels).set(amount(count.count()));
        }
    }
    registry.register(
        "credential_proxies",
        "Proxies that have or ask for a certificate, by state",
        holders,
    );
}
