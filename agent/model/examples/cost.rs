use sealgate_model::ledger::Ledger;
use sealgate_model::resolve::{Gateway, Resolver, World};
use sealgate_model::store::{Judged, Store};
use sealgate_model::{Kind, Meta, manifest};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;
fn meta(ns: &str, name: String) -> Meta {
    Meta {
        namespace: ns.into(),
        name,
        ..Meta::default()
    }
}
fn main() {
    for n in [2000usize] {
        let mut store = Store::default();
        let mut resolver = Resolver::new(Gateway {
            namespace: "gw".into(),
            labels: BTreeMap::from([("istio".into(), "ingressgateway".into())]),
            port_map: BTreeMap::new(),
            on_demand_from: 0,
        });
        let mut ledger = Ledger::default();
        let gw = |i: usize| {
            manifest::decode(
                Kind::Gateway,
                meta("gw", format!("g{i}")),
                json!({"spec":{"selector":{"istio":"ingressgateway"},"servers":[{"port":{"number":443,"protocol":"HTTPS"},"hosts":[format!("h{i}.example.com")],"tls":{"mode":"SIMPLE","credentialName":format!("c{i}")}}]}}),
            )
        };
        let vs = |i: usize, p: &str| {
            manifest::decode(
                Kind::VirtualService,
                meta("default", format!("v{i}")),
                json!({"spec":{"hosts":[format!("h{i}.example.com")],"gateways":[format!("gw/g{i}")],"http":[{"match":[{"uri":{"prefix":p}}],"route":[{"destination":{"host":format!("s{i}.test"),"port":{"number":80}}}]}]}}),
            )
        };
        let se = |i: usize, a: &str| {
            manifest::decode(
                Kind::ServiceEntry,
                meta("default", format!("s{i}")),
                json!({"spec":{"hosts":[format!("s{i}.test")],"resolution":"STATIC","ports":[{"number":80,"name":"http","protocol":"HTTP"}],"endpoints":[{"address":a}]}}),
            )
        };
        let mut run = |entries: Vec<sealgate_model::Entry>| {
            let start = Instant::now();
            let mut judged = Judged::default();
            for e in entries {
                store.set(e, &mut judged);
            }
            for m in &judged.moved {
                resolver.take(m);
            }
            let world = World {
                is_served: &|_| true,
                is_known: &|_| false,
            };
            let changes = resolver.settle(world, &mut ledger);
            (start.elapsed(), changes)
        };
        let start = Instant::now();
        let mut c = Default::default();
        for b in 0..n / 200 {
            c = run((b * 200..b * 200 + 200)
                .flat_map(|i| [gw(i), vs(i, "/"), se(i, "127.0.0.1")])
                .collect())
            .1;
        }
        let t = start.elapsed();
        println!(
            "rss {}",
            std::fs::read_to_string("/proc/self/status")
                .unwrap()
                .lines()
                .find(|l| l.starts_with("VmRSS"))
                .unwrap()
        );
        println!(
            "{n}: all {t:?} clusters {} parts {} ports {}",
            c.clusters.len(),
            c.parts.len(),
            c.ports.len()
        );
        let med = |mut v: Vec<std::time::Duration>| {
            v.sort();
            v[v.len() / 2]
        };
        let t = med((0..50)
            .map(|k| run(vec![vs(k % n, if k % 2 == 0 { "/a" } else { "/b" })]).0)
            .collect());
        println!("  vs change {t:?}");
        let t = med((0..50)
            .map(|k| {
                run(vec![se(
                    k % n,
                    if (k / n.min(10)) % 2 == 0 {
                        "127.0.0.2"
                    } else {
                        "127.0.0.3"
                    },
                )])
                .0
            })
            .collect());
        println!("  se change {t:?}");
        let t = med((0..50)
            .map(|k| run(vec![gw(n + k), vs(n + k, "/"), se(n + k, "127.0.0.1")]).0)
            .collect());
        println!("  new host {t:?}");
        println!(
            "  rss {}",
            std::fs::read_to_string("/proc/self/status")
                .unwrap()
                .lines()
                .find(|l| l.starts_with("VmRSS"))
                .unwrap()
        );
    }
}
