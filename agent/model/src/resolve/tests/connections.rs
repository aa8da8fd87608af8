//! What hosts require of the connections on which they are requested.

use sealgate_core::identity::{Connection, ConnectionOrigin, PoliciesConfig, ServerDemand};
use sealgate_core::rules::TableConfig;
use sealgate_core::table::RouteTable;
use serde_json::{Value, json};

use super::*;
use crate::manifest;
use crate::resolve::ConnectionPolicy;
use crate::resolved::FilterChain;

/// A server on port 443; if mutual, it requires client certificates.
fn server(host: &str, certificate: &str, is_mutual: bool) -> Value {
    let mode = if is_mutual { "MUTUAL" } else { "SIMPLE" };
    json!({"port": {"number": 443, "protocol": "HTTPS"}, "hosts": [host],
        "tls": {"mode": mode, "credentialName": certificate}})
}

/// The resolution of these Gateways: each has one server and an annotation. From `on_demand_from` equal servers on,
/// they share a chain; 0 for never.
fn resolved(gateways: &[(Value, &str)], on_demand_from: usize) -> Resolver {
    let mut resolver = Resolver::new(Gateway {
        on_demand_from,
        ..Objects::default().gateway()
    });
    for (at, (server, identity)) in gateways.iter().enumerate() {
        let mut meta = crate::Meta {
            namespace: "gw".into(),
            name: format!("n{at}").into(),
            ..crate::Meta::default()
        };
        if !identity.is_empty() {
            meta.annotations
                .insert(crate::annotation::IDENTITY.to_owned(), (*identity).to_owned());
        }
        let value = json!({"spec": {"selector": {"istio": "ingressgateway"}, "servers": [server]}});
        let entry = manifest::decode(Kind::Gateway, meta, value);
        assert!(entry.object.is_some(), "{:?}", entry.findings);
        resolver.take(&Moved {
            name: entry.object_ref,
            before: None,
            now: entry.object.map(Arc::new),
        });
    }
    let world = World {
        is_served: &|_| true,
        may_name: &|_, _| true,
        is_known: &|_| true,
        certificate: &|_| None,
        namesake: &|_| None,
    };
    resolver.settle(world, &mut Ledger::default());
    resolver
}

/// What is required of connections on a port with these Gateways, by host.
fn demanded(gateways: &[(Value, &str)]) -> BTreeMap<String, ConnectionPolicy> {
    let resolver = resolved(gateways, 2);
    let demands = resolver.routes.table().all_demands();
    demands
        .map(|((_, host), demand)| (host.to_string(), demand.clone()))
        .collect()
}

#[test]
fn a_port_of_equals_asks_nothing_of_connections() {
    // Which certificate the gateway showed does not matter.
    let simple = (server("a.example", "one", false), "");
    let other = (server("b.example", "two", false), "");
    assert!(demanded(&[simple.clone(), other]).is_empty());

    let mutual = (server("m.example", "one", true), "");
    let hosts = |demands: &BTreeMap<String, ConnectionPolicy>| demands.keys().cloned().collect::<Vec<_>>();
    assert_eq!(hosts(&demanded(std::slice::from_ref(&mutual))), ["m.example"]);

    let mixed = demanded(&[simple, mutual.clone()]);
    assert_eq!(hosts(&mixed), ["a.example", "m.example"]);
    assert!(mixed.values().all(|demand| demand.policy.is_some()));

    let open = (server("o.example", "one", false), "{misdirected: allow}");
    let with_open = demanded(&[mutual, open]);
    assert_eq!(hosts(&with_open), ["m.example", "o.example"]);
    assert!(with_open["o.example"].policy.is_none() && with_open["m.example"].policy.is_some());
}

/// The filter's table of the port's servers.
fn filters_table(resolver: &Resolver) -> RouteTable {
    let demands = resolver.routes.table().all_demands();
    let demands = demands.map(|((_, host), demand)| ServerDemand {
        server: demand.server.to_string(),
        domains: vec![host.to_string()],
        policy: demand.policy.as_deref().map(str::to_owned),
    });
    let policies = PoliciesConfig {
        demands: demands.collect(),
        ..PoliciesConfig::default()
    };
    let config = TableConfig {
        port: 443,
        policies,
        ..TableConfig::default()
    };
    RouteTable::from_configs([&config]).unwrap()
}

/// The chain that Envoy chooses for a server name: first by the whole name, in lower case, then by its suffixes from
/// the longest on, then the one without names. Envoy strips neither a dot nor a port.
fn chosen<'c>(chains: &'c [Arc<FilterChain>], sni: &str) -> Option<&'c FilterChain> {
    let sni = sni.to_ascii_lowercase();
    let suffixes = sni.match_indices('.').filter(|(at, _)| *at > 0);
    let wildcards = suffixes.map(|(at, _)| format!("*{}", sni.get(at..).unwrap_or_default()));
    let mut names = std::iter::once(sni.clone())
        .chain(wildcards)
        .chain(["*".to_owned()]);
    names.find_map(|name| {
        let mut chains = chains.iter();
        chains
            .find(|chain| chain.domains().any(|domain| *domain == *name))
            .map(Arc::as_ref)
    })
}

/// The spellings of a name, and names that no server has.
fn spellings(host: &str) -> Vec<String> {
    let shown = host.replace('*', "any");
    vec![
        shown.to_ascii_uppercase(),
        format!("{shown}."),
        format!("{shown}:443"),
        format!("{shown}.:443"),
        format!(".{shown}"),
        format!("{}.{shown}", "a".repeat(300)),
        String::new(),
        "unknown.example".to_owned(),
        shown,
    ]
}

/// Every possible connection, by every spelling of every name, and every host that can be requested on it, with servers
/// of all modes for exact names, wildcards and `*`.
#[test]
fn a_connection_serves_the_hosts_of_what_its_own_chain_checked() {
    let modes = [
        ("SIMPLE", ""),
        ("MUTUAL", "ca-a"),
        ("MUTUAL", "ca-b"),
        ("OPTIONAL_MUTUAL", "ca-a"),
    ];
    let (mut served, mut refused) = (0, 0);
    for (catch_all, on_demand_from) in (0..modes.len()).flat_map(|at| [(at, 0), (at, 2)]) {
        let mut gateways = Vec::new();
        let mut add = |host: &str, (mode, ca): (&str, &str)| {
            let mut server = server(host, "one", false);
            server["tls"]["mode"] = json!(mode);
            if !ca.is_empty() {
                server["tls"]["caCertCredentialName"] = json!(ca);
            }
            gateways.push((server, ""));
        };
        for (at, mode) in modes.into_iter().enumerate() {
            add(&format!("exact{at}.test"), mode);
            add(&format!("*.wild{at}.test"), mode);
            // Within the wildcard of another mode.
            add(&format!("in.wild{}.test", (at + 1) % modes.len()), mode);
        }
        add("*", modes[catch_all]);
        let hosts: Vec<String> = gateways
            .iter()
            .map(|(server, _)| server["hosts"][0].as_str().unwrap().to_owned())
            .collect();
        let resolver = resolved(&gateways, on_demand_from);
        let table = filters_table(&resolver);
        let chains = &resolver.port(443).unwrap().chains;
        assert_eq!(chains.iter().any(|chain| chain.on_demand), on_demand_from > 0);
        for sni in hosts.iter().flat_map(|host| spellings(host)) {
            let chain = chosen(chains, &sni).unwrap();
            let connection = Connection {
                origin: ConnectionOrigin {
                    chain: &chain.name,
                    policy: chain.policy.as_deref().unwrap(),
                    ..ConnectionOrigin::default()
                },
                sni: Some(sni.as_str()).filter(|sni| !sni.is_empty()),
                ..Connection::default()
            };
            for host in &hosts {
                // However a host is spelled, it belongs to the server of its plain name.
                let own = chosen(chains, &host.replace('*', "any")).unwrap();
                let expected = own.policy == chain.policy;
                for authority in spellings(host).into_iter().take(4) {
                    assert_eq!(
                        table.admits(443, authority.as_bytes(), Some(&connection)),
                        expected,
                        "SNI {sni:?} on {} asks for {authority:?}",
                        chain.name
                    );
                    *if expected { &mut served } else { &mut refused } += 1;
                }
            }
        }
    }
    assert_eq!((served, refused), (14_016, 34_656), "pairs");
}

/// The chain of a server is named after its place, so another server may have the name later.
#[test]
fn a_connection_outlives_its_servers_policy_and_no_other_servers() {
    let simple = [
        (server("m.test", "one", false), ""),
        (server("*", "two", false), ""),
    ];
    let before = resolved(&simple, 0);
    let old = |sni: &str| {
        let chain = chosen(&before.port(443).unwrap().chains, sni).unwrap().clone();
        (chain.name, chain.policy.unwrap())
    };
    let mutual = [
        (server("m.test", "one", true), ""),
        (server("*", "two", false), ""),
    ];
    let swapped = [
        (server("*", "two", false), ""),
        (server("m.test", "one", true), ""),
    ];
    for (now, sni, expected) in [
        (&mutual, "m.test", true),
        (&mutual, "M.TEST", true),
        (&mutual, "m.test.", false),
        (&mutual, "other.test", false),
        (&swapped, "m.test", false),
    ] {
        let (chain, policy) = old(sni);
        let connection = Connection {
            origin: ConnectionOrigin {
                chain: &chain,
                policy: &policy,
                ..ConnectionOrigin::default()
            },
            sni: Some(sni),
            ..Connection::default()
        };
        let table = filters_table(&resolved(now, 0));
        assert_eq!(table.admits(443, b"m.test", Some(&connection)), expected, "{sni}");
    }
}
