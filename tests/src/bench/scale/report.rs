//! The table: one line per row and size, with the other build next to it.

use std::fmt::Write as _;

use super::figures::{Figures, Place, Results};
use super::{Origin, Side, Size};
use crate::bench::say;

/// The names of a row's figures, and their keys.
type Cells = &'static [(&'static str, &'static str)];

/// The rows: title and cells.
const ROWS: [(&str, Cells); 26] = [
    (
        "start from nothing, s",
        &[
            ("agent ready", "start_agent"),
            ("Envoy's first answer", "start_envoy"),
        ],
    ),
    ("memory, MB", &[("agent", "rss_agent"), ("Envoy", "rss_envoy")]),
    (
        "memory when every host was visited, MB",
        &[("agent", "rss_visited_agent"), ("Envoy", "rss_visited_envoy")],
    ),
    (
        "new route to first 200, ms",
        &[
            ("p50", "new_route_p50"),
            ("p99", "new_route_p99"),
            ("wrong", "new_route_wrong"),
        ],
    ),
    (
        "new host of port 80 to first 200, ms",
        &[
            ("p50", "new_plain_route_p50"),
            ("p99", "new_plain_route_p99"),
            ("wrong", "new_plain_route_wrong"),
        ],
    ),
    (
        "changed rule to first new answer, ms",
        &[("p50", "vs_p50"), ("p99", "vs_p99"), ("wrong", "vs_wrong")],
    ),
    (
        "moved endpoint to first new answer, ms",
        &[
            ("p50", "endpoint_p50"),
            ("p99", "endpoint_p99"),
            ("wrong", "endpoint_wrong"),
        ],
    ),
    (
        "new TLS host to first handshake, ms",
        &[
            ("p50", "new_host_handshake_p50"),
            ("p99", "new_host_handshake_p99"),
            ("wrong", "new_host_wrong"),
        ],
    ),
    (
        "new TLS host to first 200, ms",
        &[("p50", "new_host_p50"), ("p99", "new_host_p99")],
    ),
    (
        "CPU of a VirtualService's change, ms",
        &[("agent", "vs_cpu_agent"), ("Envoy", "vs_cpu_envoy")],
    ),
    (
        "CPU of an endpoint's change, ms",
        &[("agent", "endpoint_cpu_agent"), ("Envoy", "endpoint_cpu_envoy")],
    ),
    (
        "CPU of a new TLS host, ms",
        &[("agent", "new_host_cpu_agent"), ("Envoy", "new_host_cpu_envoy")],
    ),
    (
        "kept load without changes, ms",
        &[
            ("p50", "kept_quiet_p50"),
            ("p99", "kept_quiet_p99"),
            ("max", "kept_quiet_max"),
            ("stall", "probe_quiet_max"),
        ],
    ),
    (
        "kept load during changes, ms",
        &[
            ("p50", "kept_changing_p50"),
            ("p99", "kept_changing_p99"),
            ("max", "kept_changing_max"),
            ("stall", "probe_changing_max"),
            ("failed", "kept_failed"),
        ],
    ),
    (
        "1,000 objects at once",
        &[
            ("ms written", "bulk_written_ms"),
            ("last served", "bulk_ms"),
            ("publications", "bulk_publications"),
            ("wrong", "bulk_wrong"),
        ],
    ),
    ("rotated once each", ROTATED),
    ("written to first handshake, ms", ROTATION),
    ("unknown server names sent", NAMES),
    ("  agent, MB", NAMES_AGENT),
    ("  Envoy, MB", NAMES_ENVOY),
    ("unknown hosts sent", HOSTS),
    ("  agent, MB", HOSTS_AGENT),
    ("  Envoy, MB", HOSTS_ENVOY),
    ("Pods", PODS),
    ("  agent, MB", PODS_AGENT),
    ("  Envoy, MB", PODS_ENVOY),
];

const PODS: Cells = &[("all", "pods"), ("bytes each", "pods_bytes_each")];
const PODS_AGENT: Cells = &[
    ("none", "pods_none_agent"),
    ("unneeded", "pods_unneeded_agent"),
    ("needed", "pods_needed_agent"),
];
const PODS_ENVOY: Cells = &[
    ("none", "pods_none_envoy"),
    ("unneeded", "pods_unneeded_envoy"),
    ("needed", "pods_needed_envoy"),
];

const ROTATED: Cells = &[
    ("arrived", "rotated"),
    ("failed", "rotations_failed"),
    ("seconds", "rotations_seconds"),
    ("kept p99", "rotating_kept_p99"),
    ("stall", "rotating_probe_max"),
    ("kept failed", "rotating_kept_failed"),
];
const ROTATION: Cells = &[
    ("p50", "rotation_p50"),
    ("p99", "rotation_p99"),
    ("max", "rotation_max"),
];
const NAMES: Cells = &[
    ("all", "names_sent"),
    ("served", "names_wrong"),
    ("seconds", "names_seconds"),
    ("kept p99 before", "names_quiet_p99"),
    ("during", "names_during_p99"),
    ("stall", "names_probe_max"),
    ("kept failed", "kept_failed"),
];
const NAMES_AGENT: Cells = &[
    ("before", "names_before_agent"),
    ("most", "names_most_agent"),
    ("after", "names_after_agent"),
];
const NAMES_ENVOY: Cells = &[
    ("before", "names_before_envoy"),
    ("most", "names_most_envoy"),
    ("after", "names_after_envoy"),
];
const HOSTS: Cells = &[
    ("all", "hosts_sent"),
    ("served", "hosts_wrong"),
    ("seconds", "hosts_seconds"),
    ("kept p99 before", "hosts_quiet_p99"),
    ("during", "hosts_during_p99"),
    ("stall", "hosts_probe_max"),
    ("kept failed", "kept_failed"),
];
const HOSTS_AGENT: Cells = &[
    ("before", "hosts_before_agent"),
    ("most", "hosts_most_agent"),
    ("after", "hosts_after_agent"),
];
const HOSTS_ENVOY: Cells = &[
    ("before", "hosts_before_envoy"),
    ("most", "hosts_most_envoy"),
    ("after", "hosts_after_envoy"),
];

/// Prints the lines of one size.
pub(super) fn size(results: &Results, origin: Origin, size: Size) {
    let of = |side| results.0.get(&Place { origin, size, side });
    let own = of(Side::Own);
    for (title, cells) in &ROWS {
        let Some(own) = own.and_then(|own| row(own, cells)) else {
            continue;
        };
        let mut line = format!("{:<16} {:<11} {title:<40} {own}", size.to_string(), origin.word());
        if let Some(other) = of(Side::Other).and_then(|other| row(other, cells)) {
            // Writing to a string cannot fail.
            let _ = write!(line, "   | the other build: {other}");
        }
        say(line.trim_end());
    }
    for side in [Side::Own, Side::Other] {
        let name = if side == Side::Own {
            ""
        } else {
            "the other build: "
        };
        for remark in of(side).into_iter().flat_map(|own| &own.remarks) {
            say(&format!("{size} {}: {name}{remark}", origin.word()));
        }
    }
}

/// Nothing, if its first figure was not measured.
fn row(figures: &Figures, cells: Cells) -> Option<String> {
    figures.get(cells.first()?.1)?;
    let known = cells
        .iter()
        .filter_map(|(name, key)| Some((name, figures.get(key)?)));
    let text: Vec<String> = known
        .map(|(name, value)| format!("{name} {:>8}", number(value)))
        .collect();
    Some(text.join("  "))
}

/// Formats a number with about three digits.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        whole if whole == whole.trunc() || whole >= 100.0 => 0,
        large if large >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}
