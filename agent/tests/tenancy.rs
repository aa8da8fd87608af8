//! Budgets of namespaces, and what happens to objects that exceed them: the engine, with manifests.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::engine::Engine;
use sealgate_agent::translate::Settings;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::resolved::Balancing;
use sealgate_model::tenancy::{Tenancy, TenancyPolicy};
use sealgate_model::{Code, Kind, ObjectRef, Severity, SourceEvent};

struct Gate(Engine);

impl Gate {
    /// A gateway of many teams, with these budgets.
    fn new(budgets: &str) -> Result<Self> {
        let mut gateway = GatewaySettings::new("gw");
        gateway.tenants.tenancy = Tenancy::Namespaces;
        gateway.budgets = budgets.parse()?;
        let (engine, _) = Engine::new(Settings {
            gateway,
            listen: "0.0.0.0".to_owned(),
            module: "sealgate_filter.wasm".into(),
        });
        Ok(Self(engine))
    }

    fn apply(&mut self, text: &str) {
        let namespaces = Namespaces {
            gateway: "gw".to_owned(),
            other: "default",
        };
        let entries = manifest::read("objects.yaml", text.as_bytes(), &namespaces);
        self.0
            .apply(entries.into_iter().map(SourceEvent::Apply), Instant::now());
    }

    fn delete(&mut self, kind: Kind, name: &str) {
        let name = ObjectRef::new(kind, "team", name);
        self.0.apply([SourceEvent::Delete(name)], Instant::now());
    }

    /// The hosts of the services that are served.
    fn clusters(&self) -> Vec<String> {
        let hosts = self
            .0
            .resolver()
            .upstreams()
            .filter_map(|upstream| upstream.name.rsplit('|').next());
        hosts.map(str::to_owned).collect()
    }

    /// `CODE KIND NAME` of every error, and of what is said of budgets.
    fn said(&self) -> Vec<String> {
        let findings = self.0.view().findings();
        let errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error || finding.code == Code::NearBudget);
        let mut said: Vec<_> = errors
            .map(|finding| {
                format!(
                    "{} {} {}",
                    finding.code,
                    finding.object.kind.as_str(),
                    finding.object.name
                )
            })
            .collect();
        said.sort();
        said.dedup();
        said
    }

    /// The hosts of port 80 that have rules, each with how many.
    fn hosts(&self) -> Vec<(String, usize)> {
        let hosts = self.0.resolver().table(80).virtual_hosts.into_iter();
        hosts
            .map(|host| (host.domains.concat(), host.rules.len()))
            .collect()
    }

    fn used(&self, item: &str) -> u64 {
        let view = self.0.view();
        let usage = view.usage.iter().flat_map(sealgate_model::budget::Usage::iter);
        let all = usage.flat_map(|(_, cost)| {
            let items = sealgate_model::budget::BudgetItem::all();
            items.filter(|own| own.word() == item).map(|own| cost.of(own))
        });
        all.sum()
    }
}

fn gateway(namespace: &str, name: &str, hosts: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: {name}, namespace: {namespace}}}, \
         spec: {{selector: {{istio: ingressgateway}}, servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, \
         hosts: [{hosts}]}}]}}}}\n---\n"
    )
}

fn routes(name: &str, hosts: &str, rules: usize) -> String {
    let rules: Vec<String> = (0..rules)
        .map(|at| format!("{{match: [{{uri: {{exact: /{at}}}}}], directResponse: {{status: 200}}}}"))
        .collect();
    service(name, hosts, &rules.join(", "))
}

fn service(name: &str, hosts: &str, rules: &str) -> String {
    // A delegate has neither.
    let gateways = if hosts.is_empty() { "" } else { "gw/all, g" };
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: {name}, namespace: team}}, \
         spec: {{hosts: [{hosts}], gateways: [{gateways}], http: [{rules}]}}}}\n---\n"
    )
}

fn names(count: usize) -> String {
    let names: Vec<_> = (0..count).map(|at| format!("h{at}.test")).collect();
    names.join(", ")
}

/// By another value of the gateway's own label, by another label, and by both.
#[test]
fn what_another_gateway_serves_collides_with_nothing() -> Result<()> {
    let own = gateway("team", "g", "a.test");
    for selector in [
        "{istio: sealgate-edge}",
        "{app: x}",
        "{istio: ingressgateway, app: x}",
    ] {
        let foreign = gateway("other", "foreign", "a.test").replace("{istio: ingressgateway}", selector);
        let secure = foreign
            .replace(
                "protocol: HTTP}",
                "protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: sds://x}",
            )
            .replace("name: foreign", "name: secure");
        let mut gate = Gate::new("")?;
        gate.apply(&format!("{foreign}{secure}"));
        gate.apply(&format!("{own}{}", routes("r", "a.test", 1)));
        ensure!(gate.said().is_empty(), "{selector}: {:?}", gate.said());
        ensure!(
            gate.hosts() == [("a.test".to_owned(), 1)],
            "{selector}: {:?}",
            gate.hosts()
        );
        // One that is selected no more lets go of what it had.
        let mut gate = Gate::new("")?;
        gate.apply(&gateway("other", "foreign", "a.test"));
        gate.apply(&format!("{own}{}", routes("r", "a.test", 1)));
        ensure!(gate.said() == ["host-collision Gateway g"], "{:?}", gate.said());
        gate.apply(&foreign);
        ensure!(gate.said().is_empty(), "{selector}: {:?}", gate.said());
        ensure!(
            gate.hosts() == [("a.test".to_owned(), 1)],
            "{selector}: {:?}",
            gate.hosts()
        );
    }
    Ok(())
}

#[test]
fn what_is_beyond_a_budget_waits_and_what_was_there_stays() -> Result<()> {
    let mut gate = Gate::new("hosts=3")?;
    gate.apply(&gateway("team", "g", "a.test, b.test"));
    ensure!(gate.said().is_empty(), "{:?}", gate.said());
    gate.apply(&gateway("team", "other", "c.test"));
    ensure!(gate.said() == ["near-budget Gateway g"], "{:?}", gate.said());
    // A change that is too large leaves the object as it was.
    gate.apply(&gateway("team", "g", "a.test, b.test, c.test, d.test"));
    gate.apply(&routes("r", "a.test, d.test", 1));
    ensure!(gate.hosts() == [("a.test".to_owned(), 1)], "{:?}", gate.hosts());
    ensure!(
        gate.said() == ["near-budget Gateway g", "over-budget Gateway g"],
        "{:?}",
        gate.said()
    );
    ensure!(gate.used("hosts") == 3, "{}", gate.used("hosts"));
    // Another one waits too, and comes as soon as there is room.
    gate.apply(&gateway("team", "late", "e.test"));
    gate.delete(Kind::Gateway, "other");
    ensure!(
        !gate.said().contains(&"over-budget Gateway late".to_owned()),
        "{:?}",
        gate.said()
    );
    ensure!(gate.used("hosts") == 3, "{}", gate.used("hosts"));
    // What is refused is forgotten with its object.
    gate.delete(Kind::Gateway, "g");
    gate.delete(Kind::Gateway, "late");
    ensure!(
        gate.said().iter().all(|said| !said.contains("budget")),
        "{:?}",
        gate.said()
    );
    ensure!(gate.used("hosts") == 0, "{}", gate.used("hosts"));
    Ok(())
}

#[test]
fn the_operator_and_a_single_team_have_no_budget() -> Result<()> {
    let mut gate = Gate::new("hosts=1,rules=1")?;
    gate.apply(&gateway("gw", "all", "a.test, b.test"));
    ensure!(gate.said().is_empty(), "{:?}", gate.said());
    Ok(())
}

/// Small objects whose product is large.
#[test]
fn products_of_objects_are_bounded() -> Result<()> {
    let mut gate = Gate::new("rules=100")?;
    gate.apply(&gateway("gw", "all", &names(30)));
    gate.apply(&routes("wide", "'*'", 10));
    let count: usize = gate.hosts().iter().map(|(_, rules)| rules).sum();
    ensure!(count == 100, "{count} rules of a wide VirtualService");
    ensure!(
        gate.said()
            == [
                "near-budget VirtualService wide",
                "over-budget VirtualService wide"
            ],
        "{:?}",
        gate.said()
    );
    gate.apply(&routes("wide", "'*'", 2));
    ensure!(
        gate.hosts().len() == 30 && gate.said().is_empty(),
        "{:?}",
        gate.said()
    );
    gate.delete(Kind::VirtualService, "wide");
    ensure!(gate.used("rules") == 0, "{}", gate.used("rules"));

    // Roots of one delegate.
    gate.apply(&routes("delegate", "", 40));
    for at in 0..4 {
        gate.apply(&service(
            &format!("root{at}"),
            &format!("h{at}.test"),
            "{delegate: {name: delegate}}",
        ));
    }
    let with_rules = gate.hosts().len();
    ensure!(
        with_rules == 1,
        "{with_rules} hosts of four have the delegate's 40 rules: {}",
        gate.used("rules")
    );
    // A smaller delegate is for all of them.
    gate.apply(&routes("delegate", "", 10));
    ensure!(
        gate.hosts().len() == 4 && gate.said() == ["near-budget VirtualService delegate"],
        "{:?} {:?}",
        gate.hosts(),
        gate.said()
    );
    Ok(())
}

/// A ServiceEntry of the team with some endpoints.
fn entry(name: &str, endpoints: usize) -> String {
    let endpoints: Vec<_> = (0..endpoints)
        .map(|at| format!("{{address: 10.0.0.{}}}", at + 1))
        .collect();
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: {name}, namespace: team}}, \
         spec: {{hosts: [{name}.test], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: STATIC, \
         endpoints: [{}]}}}}\n---\n",
        endpoints.join(", ")
    )
}

/// A VirtualService whose rules lead to these services.
fn leading(name: &str, host: &str, to: &[&str]) -> String {
    let rule = |to: &&str| {
        format!(
            "{{match: [{{uri: {{prefix: /{to}}}}}], route: [{{destination: {{host: {to}.test, port: {{number: 80}}}}}}]}}"
        )
    };
    let rules: Vec<_> = to.iter().map(rule).collect();
    service(name, host, &rules.join(", "))
}

#[test]
fn clusters_are_bounded_until_envoy_has_them_no_more() -> Result<()> {
    let mut gate = Gate::new("clusters=3")?;
    gate.apply(&gateway("gw", "all", "a.test, b.test"));
    gate.apply(&["s1", "s2", "s3", "s4"].map(|name| entry(name, 1)).concat());
    gate.apply(&leading("r", "a.test", &["s1", "s2", "s3"]));
    ensure!(gate.used("clusters") == 3, "{}", gate.used("clusters"));
    gate.apply(&leading("more", "b.test", &["s1", "s4"]));
    ensure!(
        gate.clusters() == ["s1.test", "s2.test", "s3.test"],
        "{:?}",
        gate.clusters()
    );
    let over = "over-budget VirtualService more".to_owned();
    ensure!(gate.said().contains(&over), "{:?}", gate.said());
    // Envoy goes on with what is gone for a while.
    gate.apply(&leading("r", "a.test", &["s1", "s2"]));
    ensure!(gate.used("clusters") == 3, "{}", gate.used("clusters"));
    ensure!(gate.said().contains(&over), "{:?}", gate.said());
    gate.0.go_on(Instant::now() + Duration::from_secs(60));
    ensure!(
        gate.clusters() == ["s1.test", "s2.test", "s4.test"],
        "{:?}",
        gate.clusters()
    );
    ensure!(!gate.said().contains(&over), "{:?}", gate.said());
    gate.delete(Kind::VirtualService, "r");
    gate.delete(Kind::VirtualService, "more");
    gate.0.go_on(Instant::now() + Duration::from_secs(120));
    ensure!(gate.used("clusters") == 0, "{}", gate.used("clusters"));
    Ok(())
}

#[test]
fn endpoints_count_in_each_cluster() -> Result<()> {
    let mut gate = Gate::new("cluster-endpoints=25")?;
    gate.apply(&gateway("gw", "all", "a.test, b.test"));
    gate.apply(&["s1", "s2", "s3"].map(|name| entry(name, 10)).concat());
    gate.apply(&leading("r", "a.test", &["s1", "s2", "s3"]));
    ensure!(gate.clusters() == ["s1.test", "s2.test"], "{:?}", gate.clusters());
    ensure!(
        gate.said() == ["near-budget VirtualService r", "over-budget VirtualService r"],
        "{:?}",
        gate.said()
    );
    // A service that grows beyond what is left keeps the endpoints that it had.
    gate.apply(&entry("s2", 20));
    ensure!(gate.clusters() == ["s1.test", "s2.test"], "{:?}", gate.clusters());
    ensure!(
        gate.used("cluster-endpoints") == 20,
        "{}",
        gate.used("cluster-endpoints")
    );
    gate.apply(&entry("s2", 5));
    gate.apply(&entry("s3", 10));
    ensure!(
        gate.clusters() == ["s1.test", "s2.test", "s3.test"],
        "{:?}",
        gate.clusters()
    );
    // What an operator's rules lead to costs nobody.
    gate.apply(&leading("r", "a.test", &["s1"]).replace("namespace: team", "namespace: gw"));
    gate.apply(&leading("r", "a.test", &["s1"]));
    gate.0.go_on(Instant::now() + Duration::from_secs(60));
    ensure!(
        gate.used("cluster-endpoints") == 0,
        "{}",
        gate.used("cluster-endpoints")
    );
    Ok(())
}

/// A DestinationRule of the team that hashes by the client's address, and what more it says of that.
fn hashing(service: &str, more: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: {service}, namespace: team}}, spec: \
         {{host: {service}.test, trafficPolicy: {{loadBalancer: {{consistentHash: {{useSourceIp: true{more}}}}}}}}}}}\n---\n"
    )
}

#[test]
fn hash_rings_are_bounded_and_what_has_no_room_is_served_without() -> Result<()> {
    let mut gate = Gate::new("hash-entries=5000")?;
    let hashed = |gate: &Gate| -> Vec<String> {
        let upstreams = gate.0.resolver().upstreams().filter(|own| {
            let policy = own.policy.as_ref();
            policy.is_some_and(|policy| matches!(policy.balancing, Balancing::Hash(_)))
        });
        let hosts = upstreams.filter_map(|own| own.name.rsplit('|').next());
        hosts.map(str::to_owned).collect()
    };
    gate.apply(&gateway("gw", "all", "a.test"));
    gate.apply(&["s1", "s2", "s3"].map(|name| entry(name, 2)).concat());
    gate.apply(&leading("r", "a.test", &["s1", "s2", "s3"]));
    gate.apply(&hashing("s1", ""));
    gate.apply(&hashing("s2", ", maglev: {tableSize: 8191}"));
    ensure!(gate.used("hash-entries") == 2048, "{}", gate.used("hash-entries"));
    gate.apply(&hashing("s3", ", ringHash: {minimumRingSize: 3000}"));
    ensure!(hashed(&gate) == ["s1.test", "s2.test"], "{:?}", hashed(&gate));
    ensure!(gate.clusters().len() == 3, "{:?}", gate.clusters());
    let over = "over-budget VirtualService r".to_owned();
    ensure!(gate.said().contains(&over), "{:?}", gate.said());
    // There is room as soon as another one needs less.
    gate.apply(&hashing("s2", ", maglev: {tableSize: 7}"));
    ensure!(hashed(&gate).len() == 3, "{:?}", hashed(&gate));
    ensure!(!gate.said().contains(&over), "{:?}", gate.said());
    // Weights that differ much ask for a large ring too.
    let skewed = entry("s1", 2).replace("address: 10.0.0.1", "address: 10.0.0.1, weight: 1000000");
    gate.apply(&skewed);
    ensure!(hashed(&gate) == ["s2.test", "s3.test"], "{:?}", hashed(&gate));
    ensure!(gate.said().contains(&over), "{:?}", gate.said());
    // It is the one who asks for it who pays, also if an operator's rules lead there.
    gate.apply(&leading("r", "a.test", &["s1"]).replace("namespace: team", "namespace: gw"));
    gate.delete(Kind::VirtualService, "r");
    gate.0.go_on(Instant::now() + Duration::from_secs(60));
    ensure!(
        gate.clusters() == ["s1.test"] && hashed(&gate).is_empty(),
        "{:?}",
        hashed(&gate)
    );
    gate.apply(&entry("s1", 2));
    ensure!(hashed(&gate) == ["s1.test"], "{:?}", hashed(&gate));
    ensure!(gate.used("hash-entries") == 1024, "{}", gate.used("hash-entries"));
    gate.delete(Kind::DestinationRule, "s1");
    ensure!(gate.used("hash-entries") == 0, "{}", gate.used("hash-entries"));
    Ok(())
}

/// A DestinationRule of the team with so many subsets, and what more it says.
fn with_subsets(service: &str, count: usize, more: &str) -> String {
    let subsets: Vec<_> = (0..count).map(|at| format!("{{name: v{at}}}")).collect();
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: {service}, namespace: team}}, spec: \
         {{host: {service}.test, subsets: [{}]{more}}}}}\n---\n",
        subsets.join(", ")
    )
}

/// Whether requests to a cluster are in TLS, and how many connections it may have.
fn reached(gate: &Gate, cluster: &str) -> (bool, Option<u32>) {
    let upstream = gate.0.resolver().upstream(cluster);
    let policy = upstream.and_then(|own| own.policy.as_ref());
    let is_tls = policy.is_some_and(|policy| policy.tls.is_some());
    (is_tls, policy.and_then(|policy| policy.pool.connections))
}

#[test]
fn a_rule_without_room_for_its_subsets_keeps_its_tls_and_nothing_else() -> Result<()> {
    let mut gate = Gate::new("destination-rule-subsets=5")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    gate.apply(&["s1", "s2", "s3"].map(|name| entry(name, 1)).concat());
    gate.apply(&leading("r", "a.test", &["s1", "s2", "s3"]));
    let connections = "connectionPool: {tcp: {maxConnections: 7}}";
    let plain = format!(", trafficPolicy: {{{connections}}}");
    let tls = format!(", trafficPolicy: {{tls: {{mode: SIMPLE}}, {connections}}}");
    gate.apply(&with_subsets("s1", 3, &plain));
    gate.apply(&[with_subsets("s2", 3, &tls), with_subsets("s3", 3, &plain)].concat());
    let all =
        |gate: &Gate| ["s1", "s2", "s3"].map(|name| reached(gate, &format!("outbound|80||{name}.test")));
    let (fits, is_left_out) = ((false, Some(7)), (false, None));
    ensure!(
        all(&gate) == [fits, (true, None), is_left_out],
        "{:?}",
        all(&gate)
    );
    let used = gate.used("destination-rule-subsets");
    ensure!(used == 3, "{used} are used");
    let over = ["over-budget DestinationRule s2", "over-budget DestinationRule s3"];
    ensure!(gate.said() == over, "{:?}", gate.said());
    let findings = gate.0.view().findings();
    let mut found = findings.iter().filter(|own| own.code == Code::OverBudget);
    let message = found.next().context("nothing is said")?.message.as_str();
    ensure!(
        message.contains("(--budgets destination-rule-subsets=N allows more); only its TLS settings apply"),
        "{message}"
    );
    // Once there is room, it is served as it is, and what is wrong afterwards leaves it so.
    gate.delete(Kind::DestinationRule, "s1");
    let expected = [is_left_out, (true, Some(7)), is_left_out];
    ensure!(all(&gate) == expected, "{:?}", all(&gate));
    gate.apply(&with_subsets("s2", 3, &tls).replace("maxConnections: 7", "maxConnections: -7"));
    ensure!(all(&gate) == expected, "{:?}", all(&gate));
    gate.delete(Kind::DestinationRule, "s2");
    ensure!(all(&gate) == [is_left_out, is_left_out, fits], "{:?}", all(&gate));
    gate.delete(Kind::DestinationRule, "s3");
    let used = gate.used("destination-rule-subsets");
    ensure!(used == 0 && gate.said().is_empty(), "{used}: {:?}", gate.said());
    Ok(())
}

/// Also if the rule says nothing else, and is read again.
#[test]
fn subsets_without_room_keep_their_tls() -> Result<()> {
    let mut gate = Gate::new("destination-rule-subsets=1")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    gate.apply(&entry("s1", 1));
    let rule = |subset: &str| {
        format!(
            "{{match: [{{uri: {{exact: /{subset}}}}}], route: [{{destination: {{host: s1.test, subset: {subset}, port: \
             {{number: 80}}}}}}]}}"
        )
    };
    gate.apply(&service("r", "a.test", &["v0", "v1", "v2"].map(rule).join(", ")));
    let secure = |name: &str| format!("{{name: {name}, trafficPolicy: {{tls: {{mode: SIMPLE}}}}}}");
    let subsets = |more: &str| {
        let two = [secure("v0"), secure("v1")].join(", ");
        with_subsets("s1", 0, "").replace("subsets: []", &format!("subsets: [{two}{more}]"))
    };
    let over = ["over-budget DestinationRule s1"];
    for rule in [subsets(", {name: v2}"), subsets(""), subsets("")] {
        gate.apply(&rule);
        for (subset, is_tls) in [("v0", true), ("v1", true), ("v2", false)] {
            let found = reached(&gate, &format!("outbound|80|{subset}|s1.test"));
            ensure!(found == (is_tls, None), "{subset}: {found:?}");
        }
        ensure!(gate.said() == over, "{:?}", gate.said());
        let used = gate.used("destination-rule-subsets");
        ensure!(used == 0, "{used} are used");
    }
    Ok(())
}

/// In the place of its subset, that of a younger rule would be in plain text.
#[test]
fn a_rule_without_room_hides_the_subsets_that_it_hid() -> Result<()> {
    let mut gate = Gate::new("destination-rule-subsets=1")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    gate.apply(&entry("s1", 1));
    let rule = "{route: [{destination: {host: s1.test, subset: v0, port: {number: 80}}}]}";
    gate.apply(&service("r", "a.test", rule));
    let cluster = "outbound|80|v0|s1.test";
    let plain = "{name: v0, trafficPolicy: {tls: {mode: DISABLE}}}";
    let younger = with_subsets("s1", 1, "").replace("{name: v0}", plain);
    gate.apply(&younger.replace("name: s1,", "name: s2,"));
    ensure!(
        reached(&gate, cluster) == (false, None),
        "{:?}",
        reached(&gate, cluster)
    );
    gate.apply(&with_subsets("s1", 1, ", trafficPolicy: {tls: {mode: SIMPLE}}"));
    let over = "over-budget DestinationRule s1".to_owned();
    ensure!(gate.said().contains(&over), "{:?}", gate.said());
    ensure!(
        reached(&gate, cluster) == (true, None),
        "{:?}",
        reached(&gate, cluster)
    );
    ensure!(gate.used("destination-rule-subsets") == 1, "{:?}", gate.said());
    Ok(())
}

/// Its source has another version by then, of which nothing is known.
#[test]
fn what_waits_for_room_is_not_served_once_its_object_cannot_be_read() -> Result<()> {
    let mut gate = Gate::new("destination-rule-subsets=1")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    gate.apply(&["s1", "s2"].map(|name| entry(name, 1)).concat());
    gate.apply(&leading("r", "a.test", &["s1", "s2"]));
    gate.apply(&with_subsets("s2", 1, ""));
    let policy = ", trafficPolicy: {tls: {mode: SIMPLE}, connectionPool: {tcp: {maxConnections: 7}}}";
    gate.apply(&with_subsets("s1", 1, policy));
    let cluster = "outbound|80||s1.test";
    ensure!(
        reached(&gate, cluster) == (true, None),
        "{:?}",
        reached(&gate, cluster)
    );
    gate.apply(
        "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: s1, namespace: team}, spec: 1}",
    );
    gate.delete(Kind::DestinationRule, "s2");
    ensure!(
        reached(&gate, cluster) == (true, None),
        "{:?}",
        reached(&gate, cluster)
    );
    gate.apply(&with_subsets("s1", 1, policy));
    ensure!(
        reached(&gate, cluster) == (true, Some(7)),
        "{:?}",
        reached(&gate, cluster)
    );
    Ok(())
}

#[test]
fn a_selector_counts_for_the_workloads_that_it_is_compared_with() -> Result<()> {
    let mut gate = Gate::new("endpoints=60")?;
    let selecting =
        |name: &str| entry(name, 0).replace("endpoints: []", "workloadSelector: {labels: {app: x}}");
    gate.apply(&selecting("s1"));
    ensure!(gate.used("endpoints") == 26, "{}", gate.used("endpoints"));
    gate.apply(&[selecting("s2"), selecting("s3")].concat());
    ensure!(gate.used("endpoints") == 52, "{}", gate.used("endpoints"));
    ensure!(
        gate.said().contains(&"over-budget ServiceEntry s3".to_owned()),
        "{:?}",
        gate.said()
    );
    Ok(())
}

#[test]
fn subsets_that_a_stranger_invents_do_not_use_up_what_the_author_of_a_policy_may_hash() -> Result<()> {
    let mut gate = Gate::new("hash-entries=2500")?;
    gate.apply(&gateway("gw", "all", "a.test, b.test"));
    gate.apply(&entry("s1", 2));
    gate.apply(&hashing("s1", ""));
    let rule = |at: usize| {
        format!(
            "{{match: [{{uri: {{exact: /{at}}}}}], route: [{{destination: {{host: s1.test, subset: a{at}, port: {{number: 80}}}}}}]}}"
        )
    };
    let rules: Vec<_> = (0..5).map(rule).collect();
    let strange =
        service("strange", "b.test", &rules.join(", ")).replace("namespace: team", "namespace: other");
    gate.apply(&strange);
    gate.apply(&leading("r", "a.test", &["s1"]));
    let hashes = |gate: &Gate, subset: &str| {
        let mut upstreams = gate.0.resolver().upstreams();
        upstreams.any(|own| {
            let policy = own.policy.as_ref();
            let is_hashing = policy.is_some_and(|policy| matches!(policy.balancing, Balancing::Hash(_)));
            is_hashing && own.name.contains(&format!("|{subset}|"))
        })
    };
    ensure!(hashes(&gate, ""), "the author's own cluster hashes");
    ensure!(
        hashes(&gate, "a0") && hashes(&gate, "a1"),
        "so do as many as the stranger has room for"
    );
    ensure!(!hashes(&gate, "a2"), "and no more");
    ensure!(
        gate.said() == ["over-budget VirtualService strange"],
        "{:?}",
        gate.said()
    );
    Ok(())
}

#[test]
fn a_large_body_counts_for_many_rules() -> Result<()> {
    let mut gate = Gate::new("rules=100")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    let body = "x".repeat(200 * 1024);
    let rule = format!("{{directResponse: {{status: 200, body: {{string: {body}}}}}}}");
    gate.apply(&service("large", "a.test", &rule));
    ensure!(
        gate.said() == ["over-budget VirtualService large"],
        "{:?}",
        gate.said()
    );
    Ok(())
}

/// Whose rules come first on a host stays so, and a stranger's that cannot be made with them take nothing down.
#[test]
fn the_rules_of_whoever_was_first_come_first() -> Result<()> {
    let mut gate = Gate::new("")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    let catch_all = "{directResponse: {status: 200}}";
    gate.apply(&service("z", "a.test", catch_all));
    let other = service(
        "a",
        "a.test",
        "{match: [{uri: {prefix: /login}}], directResponse: {status: 403}}",
    );
    gate.apply(&other.replace("namespace: team", "namespace: strangers"));
    let table = gate.0.resolver().table(80);
    let host = table.virtual_hosts.first().context("no host")?;
    let first = host.rules.first().context("no rule")?;
    ensure!(first.origin.virtual_service == "team/z", "{:?}", first.origin);
    let findings = gate.0.view().findings();
    let behind = findings.iter().find(|finding| finding.code == Code::BehindOthers);
    ensure!(
        behind.is_some_and(|finding| &*finding.object.namespace == "strangers"),
        "{findings:?}"
    );
    Ok(())
}

/// Of everything that is counted, one more than there may be is refused, and as much as there may be is not.
#[test]
fn each_budget_is_kept() -> Result<()> {
    let servers = |count: usize, more: &str| {
        let servers: Vec<_> = (0..count)
            .map(|at| {
                let port = 8000 + at;
                format!("{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: [h{at}.test]}}")
            })
            .collect();
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: own, namespace: team{more}}}, \
             spec: {{selector: {{istio: ingressgateway}}, servers: [{}]}}}}\n---\n",
            servers.join(", ")
        )
    };
    let identity = |count: usize| {
        let annotation = ", annotations: {sealgate.dev/identity: '{prefix: x-own-client-cert-}'}";
        (0..count)
            .map(|at| servers(1, annotation).replace("name: own", &format!("name: own{at}")))
            .collect::<String>()
    };
    let rules = |count: usize, rule: &dyn Fn(usize) -> String| {
        let rules: Vec<_> = (0..count).map(rule).collect();
        service("own", "h0.test", &rules.join(", "))
    };
    let to = |at: usize| format!("{{destination: {{host: s{at}.test, port: {{number: 80}}}}}}");
    let entry = |count: usize| {
        let endpoints: Vec<_> = (0..count).map(|at| format!("{{address: 10.0.0.{at}}}")).collect();
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: own, namespace: team}}, spec: \
             {{hosts: [a.test], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: \
             [{}]}}}}\n---\n",
            endpoints.join(", ")
        )
    };
    let several: [(&str, &dyn Fn(usize) -> String); 7] = [
        ("ports", &|count| servers(count, "")),
        ("hosts", &|count| servers(count, "")),
        ("prefixes", &identity),
        ("destinations", &|count| {
            rules(count, &|at| {
                format!("{{match: [{{uri: {{exact: /{at}}}}}], route: [{}]}}", to(at))
            })
        }),
        ("mirrors", &|count| {
            rules(count, &|at| {
                let mirror = to(at);
                format!(
                    "{{match: [{{uri: {{exact: /{at}}}}}], route: [{}], mirrors: [{mirror}]}}",
                    to(0)
                )
            })
        }),
        ("endpoints", &entry),
        ("destination-rule-subsets", &|count| {
            with_subsets("own", count, "")
        }),
    ];
    for (item, objects) in several {
        for limit in [format!("{item}=5"), format!("{item}=100,total-{item}=5")] {
            let mut gate = Gate::new(&limit)?;
            gate.apply(&objects(5));
            ensure!(gate.used(item) == 5, "{limit}: {} are used", gate.used(item));
            ensure!(
                gate.said().iter().all(|said| !said.starts_with("over-budget")),
                "{limit}: {:?}",
                gate.said()
            );
            let mut gate = Gate::new(&limit)?;
            gate.apply(&objects(6));
            ensure!(
                gate.said().iter().any(|said| said.starts_with("over-budget")),
                "{limit}: {:?}",
                gate.said()
            );
            ensure!(gate.used(item) <= 5, "{limit}: {} are used", gate.used(item));
        }
    }
    Ok(())
}

/// Small objects whose products would take the agent's memory or time.
#[test]
fn lists_that_multiply_each_other_are_bounded() -> Result<()> {
    let many =
        |count: usize, text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<Vec<_>>().join(", ");
    let routes = |headers: usize, destinations: usize| {
        let value = "x".repeat(8_000);
        let set = many(headers, &|at| format!("x-{at}: {value}"));
        let to = many(destinations, &|at| {
            format!("{{destination: {{host: s{at}.test}}, weight: 1}}")
        });
        service(
            "own",
            "a.test",
            &format!("{{headers: {{request: {{set: {{{set}}}}}}}, route: [{to}]}}"),
        )
    };
    let gateways = format!(
        "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: own, namespace: team}}, spec: {{hosts: \
         [a.test], gateways: [{}], http: [{{directResponse: {{status: 200}}}}]}}}}",
        many(65, &|at| format!("g{at}"))
    );
    let names = format!(
        "{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: own, namespace: gw}}, spec: {{selector: \
         {{istio: ingressgateway}}, servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [a.test], tls: \
         {{mode: SIMPLE, credentialNames: [{}]}}}}]}}}}",
        many(9, &|at| format!("s{at}"))
    );
    let subsets = format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: own, namespace: team}}, spec: {{host: \
         a.test, subsets: [{}]}}}}",
        many(129, &|at| format!("{{name: v{at}}}"))
    );
    let ports = |count: usize| {
        let ports = many(count, &|at| format!("{{port: {{number: {}}}}}", at + 1));
        with_subsets(
            "own",
            1,
            &format!(", trafficPolicy: {{portLevelSettings: [{ports}]}}"),
        )
    };
    let labels = |count: usize| {
        let labels = many(count, &|at| format!("l{at}: x"));
        with_subsets("own", 1, "").replace("name: v0", &format!("name: v0, labels: {{{labels}}}"))
    };
    for (objects, is_refused) in [
        (routes(1, 256), false),
        (routes(1, 257), true),
        (routes(100, 2), false),
        (routes(100, 20), true),
        (gateways, true),
        (names, true),
        (subsets, true),
        (ports(128), false),
        (ports(129), true),
        (labels(64), false),
        (labels(65), true),
    ] {
        let mut gate = Gate::new("")?;
        gate.apply(&objects);
        let said = gate.said();
        let found = said.iter().any(|said| said.starts_with("over-limit"));
        ensure!(found == is_refused, "{said:?}: {:.200}", objects);
    }
    Ok(())
}

/// What a delegate's author writes is charged to him, and costs the root nothing else.
#[test]
fn a_delegate_takes_nothing_else_of_its_root_down() -> Result<()> {
    let mut gate = Gate::new("rules=30")?;
    gate.apply(&gateway("gw", "all", "a.test"));
    let root =
        "{match: [{uri: {prefix: /b}}], delegate: {name: d, namespace: b}}, {directResponse: {status: 200}}";
    gate.apply(&service("root", "a.test", root));
    let delegate = routes("d", "", 100)
        .replace("namespace: team", "namespace: b")
        .replace("{exact: /", "{prefix: /b/");
    gate.apply(&delegate);
    ensure!(gate.hosts() == [("a.test".to_owned(), 1)], "{:?}", gate.hosts());
    ensure!(
        gate.said() == ["over-budget VirtualService root"],
        "{:?}",
        gate.said()
    );
    Ok(())
}

/// A host within a shared wildcard is that of the namespace that has rules for it.
#[test]
fn nobody_takes_a_host_out_of_a_shared_wildcard_that_others_have_rules_for() -> Result<()> {
    let mut gate = Gate::new("")?;
    gate.apply(&gateway("gw", "all", "'*.test'"));
    gate.apply(&routes("own", "shop.test", 1));
    let thief = gateway("strangers", "aaa", "shop.test, theirs.test");
    gate.apply(&thief);
    ensure!(gate.said() == ["host-collision Gateway aaa"], "{:?}", gate.said());
    let owner = |gate: &Gate| {
        let table = gate.0.resolver().table(80);
        let host = table
            .virtual_hosts
            .into_iter()
            .find(|host| host.domains == ["shop.test"]);
        host.and_then(|host| Some(host.rules.first()?.origin.virtual_service.clone()))
    };
    ensure!(owner(&gate).as_deref() == Some("team/own"), "{:?}", owner(&gate));
    // Once it has none any more, the next one has it.
    gate.delete(Kind::VirtualService, "own");
    ensure!(gate.said().is_empty(), "{:?}", gate.said());
    Ok(())
}

/// Who may have no host on a port has no say about its kind.
#[test]
fn a_server_that_is_refused_decides_nothing() -> Result<()> {
    let mut gateway = GatewaySettings::new("gw");
    gateway.tenants.tenancy = Tenancy::Namespaces;
    gateway.tenants.policy = TenancyPolicy::read("ports: [{numbers: [8443], namespaces: [platform]}]")?;
    let (engine, _) = Engine::new(Settings {
        gateway,
        listen: "0.0.0.0".to_owned(),
        module: "filter.wasm".into(),
    });
    let mut gate = Gate(engine);
    let server = |namespace: &str, name: &str, protocol: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: {name}, namespace: {namespace}}}, spec: \
             {{selector: {{istio: ingressgateway}}, servers: [{{port: {{number: 8443, name: p, protocol: {protocol}}}, hosts: \
             [{name}.test], tls: {{mode: SIMPLE, credentialName: edge}}}}]}}}}"
        )
    };
    gate.apply(&server("aaa", "aaa", "HTTP").replace(", tls: {mode: SIMPLE, credentialName: edge}", ""));
    gate.apply(&server("platform", "good", "HTTPS"));
    let said = gate.said();
    ensure!(
        said == ["credential-not-ready Gateway good", "not-allowed Gateway aaa"],
        "{said:?}"
    );
    Ok(())
}

/// What stands for an object that was never served is no version of it, also when a good one is beyond a budget.
#[test]
fn a_stand_in_follows_its_object_though_a_good_version_waits() -> Result<()> {
    let mut gate = Gate::new("destinations=1")?;
    gate.apply(&gateway("gw", "all", "a.test, b.test"));
    let bad = "{match: [{uri: {regex: '('}}], directResponse: {status: 403}}";
    gate.apply(&service("r", "a.test", bad));
    ensure!(gate.hosts() == [("a.test".to_owned(), 1)], "{:?}", gate.hosts());
    let to = |host: &str| {
        format!("{{route: [{{destination: {{host: {host}.test}}}}], match: [{{uri: {{exact: /{host}}}}}]}}")
    };
    gate.apply(&service("r", "a.test", &[to("x"), to("y")].join(", ")));
    let over = "over-budget VirtualService r".to_owned();
    ensure!(gate.said().contains(&over), "{:?}", gate.said());
    ensure!(gate.hosts() == [("a.test".to_owned(), 1)], "{:?}", gate.hosts());
    gate.apply(&service("r", "b.test", bad));
    ensure!(gate.hosts() == [("b.test".to_owned(), 1)], "{:?}", gate.hosts());
    Ok(())
}
