use super::*;
use crate::resolved::{Ejection, EndpointHealth};

fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Endpoints by name, locality, labels and weight, as `priority weight locality: names`.
fn arranged(endpoints: &[(&str, &str, &str, u32)], own: (&str, &str), order: Order<'_>) -> Vec<String> {
    let own_labels = labels(own.1);
    let own = Whereabouts {
        locality: LocalityRef::parse(own.0),
        node: None,
        labels: Some(&own_labels),
    };
    let all: Vec<_> = endpoints.iter().map(|(_, _, text, _)| labels(text)).collect();
    let placed = endpoints
        .iter()
        .zip(&all)
        .map(|((name, locality, _, weight), labels)| PlacedEndpoint {
            endpoint: Endpoint {
                address: (*name).to_owned(),
                port: 80,
                health: EndpointHealth::default(),
                weight: *weight,
            },
            position: Whereabouts {
                locality: LocalityRef::parse(locality),
                node: None,
                labels: Some(labels),
            },
        });
    let groups = arrange(placed.collect(), own, order).into_iter().map(|group| {
        let names: Vec<_> = group.endpoints.iter().map(|own| own.address.as_str()).collect();
        format!(
            "{} {} {}: {}",
            group.priority,
            group.weight,
            group.locality,
            names.join(" ")
        )
    });
    groups.collect()
}

fn near(names: &[&str], regions: &[(&str, &str)]) -> Nearness {
    let label = |name: &&str| {
        let (key, value) = name
            .split_once('=')
            .map_or((*name, None), |(key, value)| (key, Some(value)));
        NearLabel {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }
    };
    let region = |(from, to): &(&str, &str)| NextRegion {
        from: (*from).to_owned(),
        to: (*to).to_owned(),
    };
    Nearness {
        labels: names.iter().map(label).collect(),
        regions: regions.iter().map(region).collect(),
    }
}

const SPREAD: [(&str, &str, &str, u32); 6] = [
    ("far", "asia/a/1", "", 1),
    ("next", "eu/a/1", "", 1),
    ("own", "us/a/1", "", 1),
    ("rack", "us/a/2", "", 3),
    ("zone", "us/b/1", "", 1),
    ("nowhere", "", "", 1),
];

#[test]
fn what_has_more_of_the_locality_comes_first() {
    assert_eq!(
        arranged(&SPREAD, ("us/a/1", ""), Order::Nearest(&SILENT)),
        [
            "0 1 us/a/1: own",
            "1 3 us/a/2: rack",
            "2 1 us/b/1: zone",
            "3 1 : nowhere",
            "3 1 asia/a/1: far",
            "3 1 eu/a/1: next",
        ]
    );
    // Priorities have no gaps.
    let found = arranged(&SPREAD[..2], ("us/a/1", ""), Order::Nearest(&SILENT));
    assert_eq!(found, ["0 1 asia/a/1: far", "0 1 eu/a/1: next"]);
    let found = arranged(&SPREAD[..3], ("us", ""), Order::Nearest(&SILENT));
    assert_eq!(
        found,
        ["0 1 us/a/1: own", "1 1 asia/a/1: far", "1 1 eu/a/1: next"]
    );
    // Nothing is near to a gateway without a locality, or without a policy.
    for (own, order) in [("", Order::Nearest(&SILENT)), ("us/a/1", Order::Equal)] {
        let found = arranged(&SPREAD, (own, ""), order);
        assert!(found.iter().all(|group| group.starts_with("0 ")), "{found:?}");
    }
}

#[test]
fn of_other_regions_the_next_one_comes_first() {
    let next = near(&[], &[("asia", "us"), ("us", "eu"), ("us", "asia")]);
    let found = arranged(&SPREAD, ("us/a/1", ""), Order::Nearest(&next));
    assert_eq!(
        found[3..],
        ["3 1 eu/a/1: next", "4 1 : nowhere", "4 1 asia/a/1: far"]
    );
    // The policy does not mention the gateway's region.
    let found = arranged(&SPREAD[..3], ("sa/a/1", ""), Order::Nearest(&next));
    assert!(found.iter().all(|group| group.starts_with("0 ")), "{found:?}");
}

#[test]
fn the_first_label_that_differs_decides() {
    let endpoints = [
        ("both", "us/a", "version=v1,cell=x", 1),
        ("first", "us/a", "version=v1,cell=y", 1),
        ("none", "us/a", "version=v2,cell=x", 1),
        ("silent", "eu/a", "", 1),
    ];
    let own = ("us/a", "version=v1,cell=x");
    let order = near(&["version", "cell"], &[]);
    assert_eq!(
        arranged(&endpoints, own, Order::Nearest(&order)),
        [
            "0 1 us/a: both",
            "1 1 us/a: first",
            "2 1 eu/a: silent",
            "2 1 us/a: none"
        ]
    );
    // A given value counts instead of the gateway's.
    let order = near(&["version=v2"], &[]);
    assert_eq!(
        arranged(&endpoints, own, Order::Nearest(&order)),
        ["0 1 us/a: none", "1 1 eu/a: silent", "1 2 us/a: both first"]
    );
    // Localities are labels too.
    let order = near(&[REGION_LABEL, ZONE_LABEL, "version"], &[]);
    assert_eq!(
        arranged(&endpoints, own, Order::Nearest(&order)),
        ["0 2 us/a: both first", "1 1 us/a: none", "2 1 eu/a: silent"]
    );
    // The region decides among endpoints that are otherwise equal.
    let order = near(&["version"], &[("us", "eu")]);
    let found = arranged(&SPREAD, ("us/a/1", "version=v1"), Order::Nearest(&order));
    assert_eq!(found[0], "0 1 us/a/1: own");
    assert_eq!(
        found[3..],
        ["3 1 eu/a/1: next", "4 1 : nowhere", "4 1 asia/a/1: far"]
    );
    // A gateway without known labels has none that could differ.
    let order = near(&["version"], &[]);
    assert_eq!(
        arranged(&endpoints[..3], ("", ""), Order::Nearest(&order)).len(),
        1
    );
}

#[test]
fn another_network_is_beyond_everything_else() {
    let endpoints = [
        ("other-near", "us/a", "topology.istio.io/network=n2", 1),
        ("other-far", "us/b", "topology.istio.io/network=n2", 1),
        ("own-far", "eu/b", "topology.istio.io/network=n1", 1),
        ("own-near", "us/a", "topology.istio.io/network=n1", 1),
    ];
    let order = near(&[NETWORK_LABEL, REGION_LABEL, ZONE_LABEL], &[]);
    assert_eq!(
        arranged(
            &endpoints,
            ("us/a", "topology.istio.io/network=n1"),
            Order::Nearest(&order)
        ),
        [
            "0 1 us/a: own-near",
            "1 1 eu/b: own-far",
            "2 1 us/a: other-near",
            "3 1 us/b: other-far"
        ]
    );
}

fn shares(entries: &[(&str, &[(&str, u32)])]) -> Vec<LocalityShares> {
    let place = |text: &str| LocalityRef::parse(text).to_owned();
    let entry = |(from, to): &(&str, &[(&str, u32)])| LocalityShares {
        from: place(from),
        to: to.iter().map(|(to, weight)| (place(to), *weight)).collect(),
    };
    entries.iter().map(entry).collect()
}

#[test]
fn shares_are_of_localities_and_what_has_none_gets_nothing() {
    let task = shares(&[("us/a/*", &[("eu/*", 10), ("us/a/*", 70), ("us/b/*", 20)])]);
    assert_eq!(
        arranged(&SPREAD, ("us/a/1", ""), Order::Shares(&task)),
        // The localities that one rule matches divide its share by their weights, rounded up.
        [
            "0 10 eu/a/1: next",
            "0 18 us/a/1: own",
            "0 53 us/a/2: rack",
            "0 20 us/b/1: zone"
        ]
    );
    // The policy does not mention the gateway's locality.
    let found = arranged(&SPREAD, ("eu/a/1", ""), Order::Shares(&task));
    assert_eq!(found.len(), SPREAD.len());
    assert!(found.iter().all(|group| group.starts_with("0 ")), "{found:?}");
    // The first entry that matches the gateway counts; `*` matches every gateway.
    let two = shares(&[("us/a/*", &[("us/a/1", 100)]), ("*", &[("*", 100)])]);
    assert_eq!(
        arranged(&SPREAD, ("us/a/9", ""), Order::Shares(&two)),
        ["0 100 us/a/1: own"]
    );
    assert_eq!(
        arranged(&SPREAD, ("", ""), Order::Shares(&two)).len(),
        SPREAD.len()
    );
}

#[test]
fn weights_of_a_priority_fit_into_32_bits() {
    let heavy: Vec<_> = (0..5_000)
        .map(|at| ("a", if at % 2 == 0 { "us/a" } else { "us/b" }, "", 1_000_000))
        .collect();
    let placed = heavy.iter().map(|(name, locality, _, weight)| PlacedEndpoint {
        endpoint: Endpoint {
            address: (*name).to_owned(),
            port: 80,
            health: EndpointHealth::default(),
            weight: *weight,
        },
        position: Whereabouts {
            locality: LocalityRef::parse(locality),
            ..Whereabouts::default()
        },
    });
    let groups = arrange(placed.collect(), Whereabouts::default(), Order::Equal);
    let total: u64 = groups.iter().map(|group| u64::from(group.weight)).sum();
    assert!(u32::try_from(total).is_ok() && total > 1_000_000, "{total}");
    assert_eq!(groups[0].weight, groups[1].weight);
    let endpoints = groups.iter().flat_map(|group| &group.endpoints);
    let total: u64 = endpoints.map(|own| u64::from(own.weight)).sum();
    assert!(u32::try_from(total).is_ok() && total > 1_000_000_000, "{total}");
}

#[test]
fn a_policy_decides_before_the_service_and_needs_to_notice_failures() {
    let policy = |placement, noticed: bool| UpstreamPolicy {
        placement,
        ejection: noticed.then(Ejection::default),
        ..UpstreamPolicy::default()
    };
    let wished = near(&[ZONE_LABEL], &[]);
    let named = Placement::Nearest(near(&["version"], &[]));
    let place = Placement::Shares(shares(&[("*", &[("*", 100)])]));
    let word = |policy: Option<&UpstreamPolicy>, wished: Option<&Nearness>| {
        let order = Order::new(policy, wished);
        let name = match order {
            Order::Equal => "equal".to_owned(),
            Order::Shares(_) => "shares".to_owned(),
            Order::Nearest(near) => match near.labels.first() {
                Some(label) => label.key.clone(),
                None => "near".to_owned(),
            },
        };
        (name, order.is_by_weight())
    };
    for (policy, wishes, expected) in [
        (None, false, ("equal", false)),
        (None, true, (ZONE_LABEL, true)),
        (Some(policy(None, false)), false, ("equal", false)),
        (Some(policy(None, true)), false, ("near", false)),
        (Some(policy(None, true)), true, (ZONE_LABEL, true)),
        (Some(policy(Some(Placement::Equal), true)), true, ("equal", false)),
        (Some(policy(Some(named.clone()), true)), true, ("version", true)),
        (Some(policy(Some(named), false)), true, ("equal", false)),
        (Some(policy(Some(place), false)), true, ("shares", true)),
    ] {
        let found = word(policy.as_ref(), wishes.then_some(&wished));
        assert_eq!((found.0.as_str(), found.1), expected, "{policy:?} {wishes}");
    }
}
