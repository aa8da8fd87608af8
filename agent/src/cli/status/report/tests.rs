use super::*;
use crate::admin::status::{HeldBy, SourceStatus};

const NOW: OffsetDateTime = time::macros::datetime!(2026-05-01 12:00 UTC);

fn well() -> Status {
    Status {
        synced: true,
        source: SourceStatus {
            up: true,
            watches: Vec::new(),
        },
        proxies: vec![proxy("edge-1", HeldState::Current)],
        credentials: vec![credential("a", "2027-01-01T00:00:00Z", HeldState::Current)],
        ..Status::default()
    }
}

fn proxy(node: &str, state: HeldState) -> ProxyStatus {
    ProxyStatus {
        node: node.to_owned(),
        connected: state != HeldState::Gone,
        since: Some("2026-05-01T11:00:00Z".to_owned()),
        state,
        ..ProxyStatus::default()
    }
}

fn credential(name: &str, not_after: &str, state: HeldState) -> CredentialStatus {
    CredentialStatus {
        name: name.to_owned(),
        state: "ready".to_owned(),
        served: true,
        not_after: Some(not_after.to_owned()),
        last_rotated: Some("2026-05-01T11:59:00.123456789Z".to_owned()),
        proxies: vec![HeldBy {
            node: "edge-1".to_owned(),
            state,
            ..HeldBy::default()
        }],
        ..CredentialStatus::default()
    }
}

fn concerns(status: Status) -> Vec<(&'static str, String)> {
    let report = StatusReport::new(status, usize::MAX, NOW);
    assert_eq!(report.well, report.concerns.is_empty());
    let all = report.concerns.into_iter();
    all.map(|own| (own.about, own.message)).collect()
}

#[test]
fn what_is_well_is_well() {
    assert_eq!(concerns(well()), []);
}

#[test]
fn each_trouble_is_a_concern_of_its_own() {
    let mut status = well();
    status.synced = false;
    assert_eq!(concerns(status)[0].0, "source");

    let mut status = well();
    status.source.watches.push(WatchStatus {
        name: "Gateway".to_owned(),
        state: "failed".to_owned(),
        message: Some("403".to_owned()),
        ..WatchStatus::default()
    });
    assert_eq!(concerns(status), [("source", "Gateway: 403".to_owned())]);

    let mut status = well();
    status.proxies[0] = proxy("edge-1", HeldState::Gone);
    let none = concerns(status);
    assert_eq!(none, [("proxies", "no proxy is connected".to_owned())]);

    let mut status = well();
    status.proxies.push(proxy("edge-2", HeldState::Refused));
    assert!(concerns(status)[0].1.starts_with("edge-2 rejects"));

    let mut status = well();
    for (severity, count) in [("warning", 0), ("error", 1)] {
        status.refusals.push(FindingStatus {
            severity: severity.to_owned(),
            ..FindingStatus::default()
        });
        assert_eq!(concerns(status.clone()).len(), count, "{severity}");
    }

    let mut status = well();
    status.credentials[0].warnings.push("expires-soon".to_owned());
    assert_eq!(concerns(status), [("expiry", "a: expires-soon".to_owned())]);

    for (used, count) in [(79, 0), (80, 1)] {
        let mut status = well();
        status.budgets.push(BudgetStatus {
            namespace: "team".to_owned(),
            resource: "hosts".to_owned(),
            used,
            limit: 100,
        });
        assert_eq!(concerns(status).len(), count, "{used}");
    }
}

#[test]
fn who_is_behind_gets_half_a_minute_from_when_it_could_know() {
    let behind = |rotated: &str, connected: &str| {
        let mut status = well();
        status.credentials = vec![credential("a", "2027-01-01T00:00:00Z", HeldState::Behind)];
        status.credentials[0].last_rotated = Some(rotated.to_owned());
        status.proxies[0].state = HeldState::Behind;
        status.proxies[0].since = Some(connected.to_owned());
        concerns(status).len()
    };
    assert_eq!(behind("2026-05-01T11:59:29Z", "2026-05-01T11:00:00Z"), 1);
    assert_eq!(behind("2026-05-01T11:59:31Z", "2026-05-01T11:00:00Z"), 0);
    assert_eq!(behind("2026-05-01T10:00:00Z", "2026-05-01T11:59:31Z"), 0);
}

#[test]
fn the_soonest_and_the_worst_come_first_and_what_is_left_out_is_counted() {
    let mut status = well();
    status.credentials.extend([
        credential("c", "2026-06-01T00:00:00Z", HeldState::Current),
        credential("b", "2026-05-02T00:00:00Z", HeldState::Current),
    ]);
    status.proxies.extend([
        proxy("edge-2", HeldState::Gone),
        proxy("edge-3", HeldState::Refused),
    ]);
    let report = StatusReport::new(status, 2, NOW);
    let names: Vec<_> = report.expiring.first.iter().map(|own| &*own.name).collect();
    assert_eq!((names, report.expiring.total), (vec!["b", "c"], 3));
    let nodes: Vec<_> = report.proxies.first.iter().map(|own| &*own.node).collect();
    assert_eq!((nodes, report.proxies.total), (vec!["edge-3", "edge-1"], 3));
}
