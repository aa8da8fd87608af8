//! The figures of one size, by name, and ratios for other programs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Origin, Side, Size};
use crate::bench::Times;

/// Figures by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    values: BTreeMap<String, f64>,
    /// What went wrong, as text.
    pub(super) remarks: Vec<String>,
}

impl Figures {
    pub(super) fn set(&mut self, key: &str, value: f64) {
        self.values.insert(key.to_owned(), value);
    }

    /// Adds the memory of the agent and Envoy, in MB.
    pub(super) fn memory(&mut self, key: &str, (agent, envoy): (f64, f64)) {
        self.set(&format!("{key}_agent"), agent);
        self.set(&format!("{key}_envoy"), envoy);
    }

    /// Adds `KEY_p50`, `KEY_p99` and `KEY_max`, in ms; nothing without times.
    pub(super) fn times(&mut self, key: &str, times: &Times) {
        if times.count() == 0 {
            return;
        }
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            self.set(&format!("{key}_{name}"), times.quantile(share));
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<f64> {
        self.values.get(key).copied()
    }

    pub(super) fn remark(&mut self, what: String) {
        self.remarks.push(what);
    }

    fn json(&self) -> Value {
        // Nothing here is more precise than a ten-thousandth.
        let value = |value: f64| (value * 1e4).round() / 1e4;
        let values = self.values.iter();
        json!(
            values
                .map(|(key, own)| (key.clone(), value(*own)))
                .collect::<BTreeMap<_, _>>()
        )
    }
}

/// What figures belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) size: Size,
    pub(super) side: Side,
}

/// All that was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Results(pub(super) BTreeMap<Place, Figures>);

/// A ratio's name, the figure, the routes above and below the line.
const RATIOS: [(&str, &str, usize, usize); 11] = [
    ("new_route_3000_vs_10", "new_route_p50", 3_000, 10),
    ("new_route_40000_vs_10", "new_route_p50", 40_000, 10),
    ("endpoint_cpu_10000_vs_10", "endpoint_cpu_agent", 10_000, 10),
    ("vs_cpu_10000_vs_10", "vs_cpu_agent", 10_000, 10),
    ("envoy_cpu_change_10000_vs_10", "vs_cpu_envoy", 10_000, 10),
    ("new_host_10000_vs_10", "new_host_handshake_p50", 10_000, 10),
    // What a quick run has.
    ("new_route_1000_vs_10", "new_route_p50", 1_000, 10),
    ("endpoint_cpu_1000_vs_10", "endpoint_cpu_agent", 1_000, 10),
    ("vs_cpu_1000_vs_10", "vs_cpu_agent", 1_000, 10),
    ("envoy_cpu_change_1000_vs_10", "vs_cpu_envoy", 1_000, 10),
    ("new_host_1000_vs_10", "new_host_handshake_p50", 1_000, 10),
];

/// The figures to compare at each size that was run with and without policies.
const WITH_POLICIES: [&str; 10] = [
    "new_route_p50",
    "endpoint_p50",
    "vs_p50",
    "new_host_handshake_p50",
    "endpoint_cpu_agent",
    "vs_cpu_agent",
    "kept_changing_p99",
    "rss_agent",
    "rss_envoy",
    "start_agent",
];

impl Results {
    /// The sizes that were run both ways.
    fn with_and_without(&self, origin: Origin) -> Vec<Size> {
        let places = self.0.keys().filter(|place| place.origin == origin);
        let own: Vec<_> = places.filter(|place| place.side == Side::Own).collect();
        let is_both = |size: &Size| own.iter().any(|place| place.size == size.with_policies());
        let plain = own.iter().map(|place| place.size).filter(|size| !size.policies);
        plain.filter(is_both).collect()
    }

    fn at(&self, origin: Origin, side: Side, routes: usize, key: &str) -> Option<f64> {
        self.of(origin, side, Size::of(routes), key)
    }

    fn of(&self, origin: Origin, side: Side, size: Size, key: &str) -> Option<f64> {
        self.0.get(&Place { origin, size, side })?.get(key)
    }

    /// The last line: ratios of the first source, and those of the second with its name as a suffix.
    pub(super) fn json(&self, origins: &[Origin]) -> Value {
        let mut ratios = Map::new();
        for (at, origin) in origins.iter().enumerate() {
            for (name, ratio) in self.ratios(*origin) {
                let name = if at == 0 {
                    name
                } else {
                    format!("{name}_{}", origin.word())
                };
                ratios.insert(name, json!((ratio * 1e3).round() / 1e3));
            }
        }
        let mut figures = Map::new();
        for (place, own) in &self.0 {
            let side = match place.side {
                Side::Own => "",
                Side::Other => "_other",
            };
            figures.insert(
                format!("{}_{}{side}", place.origin.word(), place.size.key()),
                own.json(),
            );
        }
        json!({"bench": "scale", "ratios": ratios, "figures": figures})
    }

    fn ratios(&self, origin: Origin) -> Vec<(String, f64)> {
        let own = |routes, key| self.at(origin, Side::Own, routes, key);
        let mut ratios = Vec::new();
        let mut add = |name: &str, value: Option<f64>| {
            ratios.extend(value.map(|value| (name.to_owned(), value)));
        };
        for (name, key, above, below) in RATIOS {
            let ratio = || Some(own(above, key)? / own(below, key)?);
            add(name, ratio());
        }
        let growth = |routes, key| Some(own(routes, key)? - own(10, key)?);
        let rss = "rss_envoy";
        add("envoy_rss_10000x10000_mb", own(10_000, rss));
        let growths = || Some(growth(10_000, rss)? / growth(5_000, rss)?);
        add("envoy_rss_2n_vs_n", growths());
        add("agent_rss_10000x10000_mb", own(10_000, "rss_agent"));
        let kept = |routes| Some(own(routes, "kept_changing_p99")? / own(routes, "kept_quiet_p99")?);
        add("kept_p99_changing_vs_quiet", kept(10_000));
        add("kept_p99_changing_vs_quiet_1000", kept(1_000));
        for size in self.with_and_without(origin) {
            for key in WITH_POLICIES {
                let plain = self.of(origin, Side::Own, size, key);
                let with = self.of(origin, Side::Own, size.with_policies(), key);
                let ratio = plain.zip(with).map(|(plain, with)| with / plain);
                add(&format!("{key}_{}_with_policies_vs_without", size.routes), ratio);
            }
        }
        ratios
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_that_were_not_measured_are_left_out() {
        let mut results = Results::default();
        for (routes, route, rss) in [
            (10, 5.0, 100.0),
            (3_000, 6.0, 130.0),
            (5_000, 6.5, 200.0),
            (10_000, 7.0, 310.0),
        ] {
            let mut figures = Figures::default();
            figures.set("new_route_p50", route);
            figures.set("rss_envoy", rss);
            let place = Place {
                origin: Origin::Directory,
                size: Size::of(routes),
                side: Side::Own,
            };
            results.0.insert(place, figures);
        }
        let line = results.json(&[Origin::Directory]);
        let expected = json!({
            "new_route_3000_vs_10": 1.2, "envoy_rss_10000x10000_mb": 310.0, "envoy_rss_2n_vs_n": 2.1,
        });
        assert_eq!(line["ratios"], expected);
        assert_eq!(line["figures"]["directory_3000x3000"]["rss_envoy"], 130.0);
    }
}
