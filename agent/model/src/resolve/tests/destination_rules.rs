//! Which DestinationRules apply to a service: Istio's order of namespaces and hosts, how several are merged, and that a
//! tenant's rule applies only to its own services.

use super::site::Site;
use super::*;
use crate::Code;
use crate::tenancy::Tenancy;

const GATEWAY: &str = "
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g}, spec: {selector: {istio: ingressgateway},
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}}
";
const ENTRY: &str = "api.shop.test";
const APP: &str = "app.team.svc.cluster.local";

fn entry(namespace: &str, host: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: {host}, namespace: {namespace}}}, spec: {{
          hosts: [{host}], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}],
          endpoints: [{{address: 10.0.0.1}}]}}}}\n---\n"
    )
}

fn service(namespace: &str, name: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: {namespace}}},
          spec: {{ports: [{{name: http, port: 80}}]}}}}\n---\n"
    )
}

fn route(name: &str, host: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: {name}}}, spec: {{
          hosts: [{name}.test], gateways: [gw/g], http: [{{route: [{{destination: {{host: {host}}}}}]}}]}}}}\n---\n"
    )
}

/// A rule that limits connections, which shows which rule applies.
fn rule(namespace: &str, name: &str, host: &str, connections: u32) -> String {
    rule_with(namespace, name, host, connections, "")
}

fn rule_with(namespace: &str, name: &str, host: &str, connections: u32, more: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{
          host: '{host}'{more}, trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {connections}}}}}}}}}}}\n---\n"
    )
}

fn site(tenancy: Tenancy, root: &str) -> Site {
    let mut gateway = Objects::default().gateway();
    gateway.tenants.tenancy = tenancy;
    root.clone_into(&mut gateway.tenants.root);
    let mut site = Site::of(gateway);
    site.apply(GATEWAY);
    let services = entry("team", ENTRY) + &service("team", "app");
    site.apply(&(services + &route("entry", ENTRY) + &route("app", APP)));
    site
}

fn limit(site: &Site, host: &str) -> Option<u32> {
    let upstream = site.resolver.upstream(&format!("outbound|80||{host}")).unwrap();
    upstream.policy.as_ref()?.pool.connections
}

fn limits(site: &Site) -> [Option<u32>; 2] {
    [limit(site, ENTRY), limit(site, APP)]
}

#[test]
fn the_most_specific_host_of_a_namespace_applies() {
    let mut site = site(Tenancy::Namespaces, "gw");
    for (host, connections, expected) in [
        ("*", 1, [Some(1), Some(1)]),
        ("*.test", 2, [Some(2), Some(1)]),
        ("*.svc.cluster.local", 3, [Some(2), Some(3)]),
        ("*.team.svc.cluster.local", 4, [Some(2), Some(4)]),
        ("*.shop.test", 5, [Some(5), Some(4)]),
        (APP, 6, [Some(5), Some(6)]),
        ("*.app.team.svc.cluster.local", 7, [Some(5), Some(6)]),
        (ENTRY, 8, [Some(8), Some(6)]),
    ] {
        site.apply(&rule("team", &format!("r{connections}"), host, connections));
        assert_eq!(limits(&site), expected, "{host}");
    }
    // Short names belong to the rule's namespace.
    site.delete_in("team", Kind::DestinationRule, "r6");
    site.apply(&rule("team", "short", "app", 9));
    assert_eq!(limits(&site), [Some(8), Some(9)]);
    for name in ["short", "r8", "r5", "r4"] {
        site.delete_in("team", Kind::DestinationRule, name);
    }
    assert_eq!(limits(&site), [Some(2), Some(3)]);
    assert_eq!(site.codes(), []);
}

#[test]
fn namespaces_are_looked_up_in_istios_order() {
    // The gateway's own, though its host is wider; the service's; the root namespace.
    let mut apart = site(Tenancy::Single, "root");
    apart.apply(&rule("root", "r", ENTRY, 3));
    assert_eq!(limit(&apart, ENTRY), Some(3));
    apart.apply(&rule("team", "r", "*.test", 2));
    assert_eq!(limit(&apart, ENTRY), Some(2));
    apart.apply(&rule("gw", "r", "*", 1));
    assert_eq!(limits(&apart), [Some(1), Some(1)]);
    // A rule that is exported only to other namespaces does not apply.
    apart.apply(&rule_with("gw", "r", "*", 1, ", exportTo: [team]"));
    assert_eq!(limits(&apart), [Some(2), None]);
    apart.apply(&rule_with("team", "r", "*.test", 2, ", exportTo: ['.']"));
    assert_eq!(limits(&apart), [Some(3), None]);
    apart.apply(&rule_with("team", "r", "*.test", 2, ", exportTo: [gw]"));
    assert_eq!(limits(&apart), [Some(2), None]);

    // If the gateway's namespace is also the root, its rules for all come last, and those that only it sees first.
    let mut same = site(Tenancy::Single, "gw");
    same.apply(&rule("gw", "r", ENTRY, 1));
    assert_eq!(limit(&same, ENTRY), Some(1));
    same.apply(&rule("team", "r", "*", 2));
    assert_eq!(limits(&same), [Some(2), Some(2)]);
    same.apply(&rule_with("gw", "r", ENTRY, 1, ", exportTo: ['.']"));
    assert_eq!(limits(&same), [Some(1), Some(2)]);
}

/// Anybody may name a host in any number of rules, and endpoints move all the time.
#[test]
fn what_is_said_of_rules_is_not_looked_up_for_endpoints_that_move() {
    let mut site = site(Tenancy::Namespaces, "gw");
    site.apply(&rule("shop", "r", APP, 1));
    let said = site.codes();
    assert_eq!(said, [Code::ForeignService]);
    let slice = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: app-1, namespace: team,
      labels: {kubernetes.io/service-name: app}}, ports: [{name: http, port: 80}], endpoints: [{addresses: [10.0.0.1]}]}";
    site.apply(slice);
    assert_eq!(site.codes(), said);
    site.take(&slice.replace("10.0.0.1", "10.0.0.2"));
    let settled = site.resolver.catalog.settle();
    assert_eq!(settled.get(APP).unwrap().said, None);
    site.take(&rule("shop", "r", APP, 2));
    let settled = site.resolver.catalog.settle();
    let said = settled.get(APP).unwrap().said.as_ref();
    assert_eq!(said.map(Vec::len), Some(1));
}

#[test]
fn rules_of_one_host_are_merged_and_those_of_others_are_not() {
    let mut site = site(Tenancy::Namespaces, "gw");
    let subset = |name: &str, version: &str| format!("{{name: {name}, labels: {{v: '{version}'}}}}");
    // Objects from a directory have no age: the names decide the order.
    let text = |name: &str, rest: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: {name}, namespace: team}},
              spec: {{host: {ENTRY}, {rest}}}}}\n---\n"
        )
    };
    let policy = |connections: u32| {
        format!("trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {connections}}}}}}}")
    };
    let first = text("a", &format!("subsets: [{}]", subset("v1", "1")));
    let second = text(
        "b",
        &format!(
            "subsets: [{}, {}], {}",
            subset("v1", "2"),
            subset("v2", "2"),
            policy(5)
        ),
    );
    let third = text("c", &policy(6));
    site.apply(&rule("team", "wide", "*.test", 9));
    site.apply(&(first + &second + &third));
    assert_eq!(limit(&site, ENTRY), Some(5));
    let rules = site.resolver.catalog.rules(ENTRY);
    let label = |name: &str| rules.subset(name).map(|(_, subset)| subset.labels["v"].clone());
    assert_eq!(label("v1").as_deref(), Some("1"));
    assert_eq!(label("v2").as_deref(), Some("2"));
    // Nothing is inherited from a wider host, nor from another namespace.
    site.delete_in("team", Kind::DestinationRule, "b");
    site.delete_in("team", Kind::DestinationRule, "c");
    site.apply(&rule("gw", "wide", "*", 8));
    assert_eq!(limits(&site), [None, Some(8)]);
}

#[test]
fn a_workload_selector_is_for_proxies_of_its_own_namespace() {
    let mut site = site(Tenancy::Single, "root");
    let selector = |value: &str| format!(", workloadSelector: {{matchLabels: {{istio: {value}}}}}");
    site.apply(&rule_with("gw", "s", ENTRY, 1, &selector("other")));
    site.apply(&rule_with("team", "s", ENTRY, 2, &selector("ingressgateway")));
    assert_eq!(limit(&site, ENTRY), None);
    assert_eq!(site.codes(), [Code::NotSelected, Code::NotSelected]);
    site.apply(&rule("gw", "a", ENTRY, 3));
    assert_eq!(limit(&site, ENTRY), Some(3));
    site.apply(&rule_with("gw", "s", ENTRY, 1, &selector("ingressgateway")));
    assert_eq!(limit(&site, ENTRY), Some(1));
    assert_eq!(site.codes(), [Code::NotSelected]);
}

#[test]
fn a_tenants_rule_means_its_own_services_alone() {
    for tenancy in [Tenancy::Namespaces, Tenancy::Single] {
        let mut site = site(tenancy, "gw");
        for (at, host) in ["*", "*.test", "*.svc.cluster.local", ENTRY]
            .into_iter()
            .enumerate()
        {
            let moved = site.apply(&rule("other", &format!("r{at}"), host, 7));
            assert_eq!(moved, [""; 0], "{host}");
        }
        assert_eq!(limits(&site), [None, None]);
        assert_eq!(site.codes(), [Code::OtherClients]);
        site.apply(&rule("other", "r4", "*.team.svc.cluster.local", 7));
        site.apply(&rule("other", "r5", APP, 7));
        let word = match tenancy {
            Tenancy::Namespaces => Code::ForeignService,
            Tenancy::Single => Code::OtherClients,
        };
        let codes = site.codes();
        assert_eq!(
            codes.iter().filter(|code| **code == word).count(),
            match tenancy {
                Tenancy::Namespaces => 2,
                Tenancy::Single => 3,
            }
        );
        assert_eq!(limits(&site), [None, None]);
        // When another namespace gets the host, its rule applies.
        site.delete_in("team", Kind::ServiceEntry, ENTRY);
        site.apply(&entry("other", ENTRY));
        assert_eq!(limits(&site), [Some(7), None]);
    }
}

#[test]
fn a_wildcard_touches_what_it_can_mean_and_nothing_else() {
    let mut site = site(Tenancy::Namespaces, "root");
    site.apply(&(entry("other", "far.test") + &route("far", "far.test")));
    let cluster = |host: &str| format!("outbound|80||{host}");
    assert_eq!(site.apply(&rule("other", "r", "*", 1)), [cluster("far.test")]);
    assert_eq!(
        site.apply(&rule("root", "r", "*.test", 2)),
        [cluster(ENTRY)],
        "the other has a rule of its own"
    );
    assert_eq!(site.apply(&rule("team", "r", "*.local", 3)), [cluster(APP)]);
    assert_eq!(
        site.delete_in("other", Kind::DestinationRule, "r"),
        [cluster("far.test")]
    );
    assert_eq!(limit(&site, "far.test"), Some(2));
}

#[test]
fn a_tenants_wildcard_is_compared_with_its_own_services() {
    let mut site = site(Tenancy::Namespaces, "root");
    site.apply(&(entry("other", "far.test") + &route("far", "far.test")));
    for (namespace, host, expected) in [
        (
            "other",
            "*",
            &[
                "*.other.svc",
                "*.other.svc.cluster",
                "*.other.svc.cluster.local",
                "far.test",
            ][..],
        ),
        ("other", "*.test", &["far.test"]),
        ("other", "*.app.other.svc", &["*.app.other.svc"]),
        ("other", "*.team.svc.cluster.local", &[]),
        ("root", "*.test", &["*.test"]),
    ] {
        site.take(&rule(namespace, "r", host, 1));
        let found = site.resolver.catalog.take_moved_rules();
        assert_eq!(
            found.iter().map(|own| &**own).collect::<Vec<_>>(),
            expected,
            "{host}"
        );
        site.delete_in(namespace, Kind::DestinationRule, "r");
    }
}

#[test]
fn a_port_for_tls_without_a_rule_that_asks_for_it_is_named() {
    let mut site = site(Tenancy::Namespaces, "gw");
    site.apply("{apiVersion: v1, kind: Service, metadata: {name: app, namespace: team}, spec: {ports: [{name: https-web, port: 80}]}}");
    assert_eq!(site.codes(), [Code::PlainToTlsPort]);
    let tls = |mode: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: tls, namespace: team}}, spec: {{
              host: app, trafficPolicy: {{tls: {{mode: {mode}}}}}}}}}"
        )
    };
    site.apply(&tls("SIMPLE"));
    assert_eq!(site.codes(), []);
    // The mode is set explicitly.
    site.apply(&tls("DISABLE"));
    assert_eq!(site.codes(), []);
    site.delete_in("team", Kind::DestinationRule, "tls");
    site.apply("{apiVersion: v1, kind: Service, metadata: {name: app, namespace: team}, spec: {ports: [{name: web, port: 80, appProtocol: https}]}}");
    assert_eq!(site.codes(), [Code::PlainToTlsPort]);
}
