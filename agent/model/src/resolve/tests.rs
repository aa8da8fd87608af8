//! The incremental resolution is compared with a fresh one of the same objects: after any sequence of changes, both
//! have the same ports, routes, upstreams, wanted credentials and findings.

mod connections;
mod destination_rules;
mod localities;
mod site;
mod subsets;
mod workloads;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{TestRng, TestRunner};

use self::world::{Op, World as Objects};
use super::*;

/// A resolution of all objects from scratch, with the TLS settings that chains have been served with.
fn fresh(objects: &Objects, (claims, held): &Held) -> (Resolver, Ledger<Speaker>) {
    let mut resolver = Resolver::new(objects.gateway());
    resolver.remember(claims);
    for (name, object) in &objects.objects {
        resolver.take(&Moved {
            name: name.clone(),
            before: None,
            now: Some(Arc::clone(object)),
        });
    }
    for (port, servers) in resolver.ports.all_servers() {
        if let Some(held) = held.get(&port) {
            servers.set_held(held.clone());
        }
    }
    let mut ledger = Ledger::default();
    settle(&mut resolver, objects, &mut ledger);
    (resolver, ledger)
}

/// The claims, and the TLS settings that the chains of each port were served with.
type Held = (Claims, BTreeMap<u16, port::HeldTls>);

fn held(resolver: &mut Resolver) -> Held {
    let claims = resolver.claims();
    let ports = resolver.ports.all_servers();
    (
        claims,
        ports.map(|(port, servers)| (port, servers.held())).collect(),
    )
}

fn settle(resolver: &mut Resolver, objects: &Objects, ledger: &mut Ledger<Speaker>) -> Changes {
    let world = World {
        is_served: &|name| objects.credentials.contains(name),
        may_name: &|namespace, name| namespace == "gw" || !objects.denied.contains(name),
        is_known: &|name| objects.objects.contains_key(name),
        certificate: &|_| None,
        namesake: &|_| None,
    };
    resolver.settle(world, ledger)
}

/// Everything that is served, as readable text that can be compared.
fn served(resolver: &Resolver) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for port in resolver.ports() {
        all.insert(format!("port {}", port.number), format!("{port:#?}"));
        all.insert(
            format!("table {}", port.number),
            format!("{:#?}", resolver.table(port.number)),
        );
    }
    for ((port, chain), shares) in resolver.streams() {
        all.insert(format!("stream {port} {chain}"), format!("{shares:?}"));
    }
    for upstream in resolver.upstreams() {
        all.insert(format!("cluster {}", upstream.name), format!("{upstream:?}"));
    }
    for (key, block) in resolver.routes.table().all_routes() {
        all.insert(format!("routes {key:?}"), format!("{:?}", block.encoded));
    }
    for (key, demand) in resolver.routes.table().all_demands() {
        all.insert(format!("demand {key:?}"), format!("{demand:?}"));
    }
    for (key, certificate) in resolver.names() {
        all.insert(format!("name {} {}", key.0, key.1), format!("{certificate:?}"));
    }
    for (claim, tenure) in resolver.claims() {
        all.insert(format!("claim {claim:?}"), format!("{tenure:?}"));
    }
    all.insert("wanted".to_owned(), format!("{:?}", resolver.wanted()));
    all.insert("gateways".to_owned(), format!("{:?}", resolver.gateways()));
    all
}

fn said(ledger: &Ledger<Speaker>) -> Vec<String> {
    let all = crate::ledger::listed(ledger.findings());
    all.iter()
        .map(|finding| format!("{:?} {finding}", finding.severity))
        .collect()
}

/// Something that breaks a resolution before each step.
type Sabotage = fn(&mut Resolver);

/// Applies the steps, each of several changes at once, and compares after each: the first difference is the error.
fn play(steps: &[Vec<Op>], sabotage: Sabotage) -> Result<(), TestCaseError> {
    let mut objects = Objects::default();
    let mut resolver = Resolver::new(objects.gateway());
    let mut ledger = Ledger::default();
    for (at, step) in steps.iter().enumerate() {
        sabotage(&mut resolver);
        let before = held(&mut resolver);
        let was = served(&resolver);
        for op in step {
            objects.apply(op, &mut resolver);
        }
        let changes = settle(&mut resolver, &objects, &mut ledger);
        let (other, others) = fresh(&objects, &before);
        let now = served(&resolver);
        prop_assert_eq!(&now, &served(&other), "step {}: {:?}", at, step);
        prop_assert_eq!(said(&ledger), said(&others), "step {}: {:?}", at, step);
        untold(&was, &now, &changes)?;
    }
    Ok(())
}

/// Everything that changed is in the reported changes, so that nothing remains unpublished.
fn untold(
    was: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    changes: &Changes,
) -> Result<(), TestCaseError> {
    for key in was
        .keys()
        .chain(now.keys())
        .filter(|key| was.get(*key) != now.get(*key))
    {
        let is_told = match key.split_once(' ') {
            Some(("port", number)) => changes.ports.contains(&number.parse().unwrap()),
            Some(("stream", stream)) => {
                let (port, chain) = stream.split_once(' ').unwrap();
                changes.streams.contains(&(port.parse().unwrap(), chain.into()))
            }
            Some(("name", name)) => {
                let (chain, pattern) = name.split_once(' ').unwrap();
                changes.names.contains(&(chain.into(), pattern.into()))
            }
            Some(("cluster", name)) => changes.clusters.contains(name),
            Some(("claim", claim)) => changes.claims.keys().any(|own| format!("{own:?}") == claim),
            Some(("routes" | "demand", _)) => !changes.parts.is_empty(),
            _ => true,
        };
        prop_assert!(is_told, "{} moved, and nobody was told: {:?}", key, changes);
    }
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<Vec<Op>>> {
    prop::collection::vec(prop::collection::vec(any::<Op>(), 1..4), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_follows_changes_is_what_a_fresh_look_gives(steps in steps()) {
        play(&steps, |_| ())?;
    }
}

/// The comparison notices when any of the indexes is stale.
#[test]
fn a_stale_index_is_seen() {
    let sabotages: [(&str, Sabotage); 9] = [
        ("hosts that take a service's only port", |resolver| {
            resolver.routes.forget_assuming();
        }),
        ("hosts that say something of rules", |resolver| {
            resolver.routes.forget_reached();
        }),
        ("servers that name a credential", |resolver| {
            resolver.wants.forget_naming();
        }),
        ("clusters of a service", |resolver| {
            resolver.routes.forget_services()
        }),
        ("subsets by pods", |resolver| {
            resolver.routes.uses_mut().forget_pods();
        }),
        ("what ServiceEntries select", |resolver| {
            resolver.catalog.forget_workloads();
        }),
        ("hosts of a namespace's ServiceEntries", |resolver| {
            resolver.catalog.forget_held();
        }),
        ("server names", |resolver| resolver.services.forget_server_names()),
        ("roots of a delegate", |resolver| resolver.services.forget_roots()),
    ];
    for (index, sabotage) in sabotages {
        let config = ProptestConfig {
            cases: 2000,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let rng = TestRng::deterministic_rng(config.rng_algorithm);
        let seen = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| play(&steps, sabotage));
        assert!(seen.is_err(), "nobody saw that the index of {index} was stale");
    }
}
