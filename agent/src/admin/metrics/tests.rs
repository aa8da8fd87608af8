//! The document has a row for each metric, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::*;
use crate::admin::status::{
    BucketStatus, BudgetStatus, CredentialStatus, FindingStatus, HeldBy, OnDemandStatus, ProxyRefusalStatus,
    ProxyStatus, RotationsStatus, SourceStatus, TypeStatus, WatchStatus,
};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/metrics.md");

/// With one of everything.
fn full() -> Status {
    let word = |text: &str| text.to_owned();
    Status {
        synced: true,
        source: SourceStatus {
            up: true,
            watches: vec![WatchStatus {
                name: word("Gateway"),
                state: word("following"),
                failures: 3,
                ..WatchStatus::default()
            }],
        },
        publications: 7,
        rotations: RotationsStatus {
            buckets: vec![bucket(Some(0.01), 2), bucket(Some(0.1), 1), bucket(None, 1)],
            sum_seconds: 1.5,
        },
        credentials: vec![CredentialStatus {
            name: word("ns/a"),
            state: word("ready"),
            kind: word("keyPair"),
            served: true,
            not_before: Some(word("2026-01-01T00:00:00Z")),
            not_after: Some(word("2026-01-02T00:00:01Z")),
            days_left: Some(1),
            rotation_ms: Some(4.0),
            proxies: vec![HeldBy {
                node: word("edge"),
                ..HeldBy::default()
            }],
            ..CredentialStatus::default()
        }],
        proxies: vec![ProxyStatus {
            node: word("edge"),
            connected: true,
            types: vec![TypeStatus {
                r#type: word("Secret"),
                confirmations: 5,
                refusals: 2,
                ..TypeStatus::default()
            }],
            ..ProxyStatus::default()
        }],
        on_demand: OnDemandStatus::default(),
        budgets: vec![BudgetStatus::default()],
        proxy_refusals: vec![ProxyRefusalStatus::default()],
        refusals: vec![FindingStatus::default()],
        ..Status::default()
    }
}

fn bucket(at_most_seconds: Option<f64>, count: u64) -> BucketStatus {
    BucketStatus {
        at_most_seconds,
        count,
    }
}

/// A metric's type and labels.
type Shape = (String, BTreeSet<String>);

/// By the name that queries use; histograms without their suffixes.
fn shown(text: &str) -> BTreeMap<String, Shape> {
    let mut types = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            types.insert(format!("{name}{suffix}"), (kind.to_owned(), BTreeSet::new()));
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|name| types.contains_key(*name)));
        let (_, labels) = types.get_mut(family.unwrap_or(name)).expect(line);
        let inner = line.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let pairs = inner.map(|(inner, _)| inner).unwrap_or_default().split(',');
        labels.extend(
            pairs
                .filter_map(|pair| pair.split_once('='))
                .map(|(label, _)| label.to_owned())
                .filter(|label| label != "le"),
        );
    }
    types
}

/// The rows that begin with a metric's name; names of alerts are capitalized.
fn documented(text: &str) -> BTreeMap<String, Shape> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter(|row| row.starts_with(|first: char| first.is_ascii_lowercase()))
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let labels = cells[2].split(", ").filter(|label| !label.is_empty());
            let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
            (
                cells[0].trim_end_matches('`').to_owned(),
                (cells[1].to_owned(), labels),
            )
        })
        .collect()
}

#[test]
fn the_document_has_each_metric_with_its_type_and_labels() {
    let shown = shown(&render(&full()));
    let documented = documented(&fs::read_to_string(DOCUMENT).unwrap());
    assert!(shown.len() > 20);
    let (have, want): (BTreeSet<_>, BTreeSet<_>) = (shown.iter().collect(), documented.iter().collect());
    let missing: Vec<_> = have.difference(&want).collect();
    let wrong: Vec<_> = want.difference(&have).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "metrics.md lacks {missing:#?}, and has {wrong:#?}"
    );
}

#[test]
fn values_are_those_of_the_status() {
    let text = render(&full());
    let labels = r#"{name="ns/a",kind="keyPair"}"#;
    for line in [
        format!("sealgate_certificate_not_before_timestamp_seconds{labels} 1767225600"),
        format!("sealgate_certificate_not_after_timestamp_seconds{labels} 1767312001"),
        r#"sealgate_rotation_seconds_bucket{le="0.01"} 2"#.to_owned(),
        r#"sealgate_rotation_seconds_bucket{le="0.1"} 3"#.to_owned(),
        r#"sealgate_rotation_seconds_bucket{le="+Inf"} 4"#.to_owned(),
        "sealgate_rotation_seconds_count 4".to_owned(),
        "sealgate_rotation_seconds_sum 1.5".to_owned(),
        r#"sealgate_xds_acknowledgements_total{node="edge",type="Secret"} 5"#.to_owned(),
        r#"sealgate_xds_refusals_total{node="edge",type="Secret"} 2"#.to_owned(),
        r#"sealgate_watch_state{watch="Gateway",state="following"} 1"#.to_owned(),
        r#"sealgate_watch_failures_total{watch="Gateway"} 3"#.to_owned(),
        "sealgate_source_up 1".to_owned(),
    ] {
        assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
