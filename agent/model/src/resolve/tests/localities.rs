//! Where the endpoints of Services are, which of them are used, and how DestinationRules change that. The gateway is in
//! `r/z`.

use super::site::Site;
use super::*;
use crate::Code;
use crate::resolved::EndpointHealth;

const ROUTES: &str = "
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g}, spec: {selector: {istio: ingressgateway},
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v}, spec: {hosts: [a.test], gateways: [gw/g],
  http: [{route: [{destination: {host: app}}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: app}, spec: {ports: [{name: http, port: 80}]}}
";
const CLUSTER: &str = "outbound|80||app.default.svc.cluster.local";

fn site() -> Site {
    Site::new(ROUTES)
}

/// A slice of these endpoints.
fn slice(name: &str, endpoints: &str) -> String {
    let family = if endpoints.contains("::") { "IPv6" } else { "IPv4" };
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: {family},
          metadata: {{name: app-{name}, labels: {{kubernetes.io/service-name: app}}}},
          ports: [{{name: http, port: 8080}}], endpoints: [{endpoints}]}}"
    )
}

fn service(meta: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: app, annotations: {{{meta}}}}}, \
         spec: {{ports: [{{name: http, port: 80}}], {spec}}}}}"
    )
}

fn rule(policy: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: r}},
          spec: {{host: app, trafficPolicy: {policy}}}}}"
    )
}

/// As `priority locality: addresses`.
fn groups(site: &Site) -> Vec<String> {
    let groups = site.groups(CLUSTER).iter().map(|group| {
        let addresses: Vec<_> = group.endpoints.iter().map(|own| own.address.as_str()).collect();
        format!("{} {}: {}", group.priority, group.locality, addresses.join(" "))
    });
    groups.collect()
}

const SPREAD: &str = "{addresses: [10.0.0.1], zone: w, targetRef: {kind: Pod, name: one}},
    {addresses: [10.0.0.2], zone: z, targetRef: {kind: Pod, name: two}},
    {addresses: [10.0.0.3], targetRef: {kind: Pod, name: three}}";
const EJECTION: &str = "outlierDetection: {consecutive5xxErrors: 1}";

#[test]
fn the_own_zone_comes_first_once_failures_are_noticed() {
    let mut site = site();
    site.apply(&slice("1", SPREAD));
    assert_eq!(
        groups(&site),
        ["0 : 10.0.0.3", "0 r/w: 10.0.0.1", "0 r/z: 10.0.0.2"]
    );
    site.apply(&rule(&format!("{{{EJECTION}}}")));
    assert_eq!(
        groups(&site),
        ["0 r/z: 10.0.0.2", "1 r/w: 10.0.0.1", "2 : 10.0.0.3"]
    );
    site.apply(&rule(&format!(
        "{{{EJECTION}, loadBalancer: {{localityLbSetting: {{enabled: false}}}}}}"
    )));
    assert!(
        groups(&site).iter().all(|group| group.starts_with("0 ")),
        "{:?}",
        groups(&site)
    );
    assert_eq!(site.needed(), [""; 0]);
}

#[test]
fn pods_say_what_slices_cannot() {
    let mut site = site();
    site.apply(&slice("1", SPREAD));
    let failover =
        format!("{{{EJECTION}, loadBalancer: {{localityLbSetting: {{failover: [{{from: r, to: q}}]}}}}}}");
    site.apply(&rule(&failover));
    assert_eq!(site.needed(), ["default"]);
    // A zone belongs to the gateway's region unless a label says otherwise.
    assert_eq!(
        groups(&site),
        ["0 r/z: 10.0.0.2", "1 r/w: 10.0.0.1", "2 : 10.0.0.3"]
    );
    site.pod(
        "one",
        "topology.kubernetes.io/region: p, topology.kubernetes.io/zone: w",
    );
    site.pod("three", "topology.istio.io/locality: q.v.s");
    assert_eq!(
        groups(&site),
        ["0 r/z: 10.0.0.2", "1 q/v/s: 10.0.0.3", "2 p/w: 10.0.0.1"]
    );
    assert_eq!(site.pod("one", "istio-locality: r/z/s"), [CLUSTER]);
    assert_eq!(
        groups(&site),
        ["0 r/z: 10.0.0.2", "1 r/z/s: 10.0.0.1", "2 q/v/s: 10.0.0.3"]
    );
    // Hints have no effect on a Service that does not ask for them.
    site.apply(&rule(&format!("{{{EJECTION}}}")));
    assert_eq!(
        groups(&site),
        ["0 r/z: 10.0.0.2", "1 r/w: 10.0.0.1", "2 : 10.0.0.3"]
    );
    assert_eq!(site.codes(), []);
}

#[test]
fn labels_of_pods_decide_and_it_is_said_if_nobody_knows_them() {
    let mut site = site();
    site.apply(&slice("1", SPREAD));
    let by = |label: &str| {
        rule(&format!(
            "{{{EJECTION}, loadBalancer: {{localityLbSetting: {{failoverPriority: ['{label}']}}}}}}"
        ))
    };
    site.apply(&by("cell=blue"));
    assert_eq!(site.codes(), [Code::PodsUnknown]);
    assert_eq!(site.addresses(CLUSTER).len(), 3);
    site.pod("one", "cell: blue");
    site.pod("two", "cell: red");
    assert_eq!(site.codes(), []);
    assert_eq!(
        groups(&site),
        ["0 r/w: 10.0.0.1", "1 : 10.0.0.3", "1 r/z: 10.0.0.2"]
    );
    site.apply(&by("topology.kubernetes.io/zone=w"));
    site.delete(Kind::Pod, "one");
    site.delete(Kind::Pod, "two");
    assert_eq!(site.codes(), []);
    assert_eq!(
        groups(&site),
        ["0 r/w: 10.0.0.1", "1 : 10.0.0.3", "1 r/z: 10.0.0.2"]
    );
}

#[test]
fn a_service_may_wish_for_its_own_zone() {
    let mut site = site();
    site.apply(&slice("1", SPREAD));
    let alike = groups(&site);
    let near = ["0 r/z: 10.0.0.2", "1 r/w: 10.0.0.1", "2 : 10.0.0.3"];
    for (meta, spec) in [
        ("", "trafficDistribution: PreferClose"),
        ("", "trafficDistribution: PreferSameZone"),
        ("", "trafficDistribution: PreferSameNode"),
        ("networking.istio.io/traffic-distribution: prefersamezone", ""),
    ] {
        site.apply(&service(meta, spec));
        assert_eq!(groups(&site), near, "{meta} {spec}");
    }
    site.apply(&service("networking.istio.io/traffic-distribution: any", ""));
    assert_eq!(groups(&site), alike);
    // A DestinationRule takes precedence.
    site.apply(&service("", "trafficDistribution: PreferClose"));
    site.apply(&rule("{loadBalancer: {localityLbSetting: {enabled: false}}}"));
    assert_eq!(groups(&site), alike);
}

const HINTED: &str = "{addresses: [10.0.0.1], zone: w, hints: {forZones: [{name: w}]}},
    {addresses: [10.0.0.2], zone: z, hints: {forZones: [{name: z}]}},
    {addresses: [10.0.0.3], zone: x, hints: {forZones: [{name: z}]}}";

#[test]
fn hints_for_the_own_zone_are_followed_where_all_endpoints_have_them() {
    let mut site = site();
    site.apply(&slice("1", HINTED));
    assert_eq!(site.addresses(CLUSTER).len(), 3);
    site.apply(&service("service.kubernetes.io/topology-mode: Auto", ""));
    assert_eq!(groups(&site), ["0 r/x: 10.0.0.3", "0 r/z: 10.0.0.2"]);
    // With one endpoint without hints, none count.
    site.apply(&slice("2", "{addresses: [10.0.0.4], zone: z}"));
    assert_eq!(site.addresses(CLUSTER).len(), 4);
    // An endpoint that is not used does not matter.
    site.apply(&slice("2", "{addresses: [10.0.0.4], conditions: {ready: false}}"));
    assert_eq!(site.addresses(CLUSTER).len(), 2);
    // They do not count either if none is for the zone, or if a policy decides.
    site.apply(&slice("1", &HINTED.replace("[{name: z}]", "[{name: x}]")));
    assert_eq!(site.addresses(CLUSTER).len(), 3);
    site.apply(&slice("1", HINTED));
    site.delete(Kind::EndpointSlice, "app-2");
    assert_eq!(site.addresses(CLUSTER).len(), 2);
    site.apply(&rule(&format!("{{{EJECTION}}}")));
    assert_eq!(site.addresses(CLUSTER).len(), 3);
}

#[test]
fn an_endpoint_that_is_about_to_end_is_used_if_no_other_is_left() {
    let mut site = site();
    for (conditions, expected) in [
        // The conditions of 10.0.0.1, and how many endpoints there are: with a ready 10.0.0.2, and without it.
        ("{}", [2, 1]),
        ("{ready: true}", [2, 1]),
        ("{ready: false}", [1, 0]),
        ("{ready: false, serving: true}", [1, 0]),
        ("{ready: false, serving: true, terminating: true}", [1, 1]),
        ("{ready: false, serving: false, terminating: true}", [1, 0]),
        ("{ready: false, terminating: true}", [1, 0]),
        // With a Service that publishes endpoints that are not ready.
        ("{ready: true, serving: true, terminating: true}", [2, 1]),
    ] {
        let one = format!("{{addresses: [10.0.0.1], conditions: {conditions}}}");
        site.apply(&slice("1", &format!("{one}, {{addresses: [10.0.0.2]}}")));
        let both = site.addresses(CLUSTER).len();
        site.apply(&slice("1", &one));
        assert_eq!([both, site.addresses(CLUSTER).len()], expected, "{conditions}");
    }
    // If one zone has ready endpoints, those that are about to end are not used in any.
    let leaving =
        "{addresses: [10.0.0.1], zone: z, conditions: {ready: false, serving: true, terminating: true}}";
    site.apply(&slice(
        "1",
        &format!("{leaving}, {{addresses: [10.0.0.2], zone: w}}"),
    ));
    assert_eq!(groups(&site), ["0 r/w: 10.0.0.2"]);
}

#[test]
fn an_endpoint_that_is_not_ready_is_missing_where_localities_count() {
    let mut site = site();
    site.apply(&slice(
        "1",
        "{addresses: [10.0.0.1], zone: z, conditions: {ready: false}}, {addresses: [10.0.0.2], zone: z},
         {addresses: [10.0.0.3], zone: w}",
    ));
    let healths = |site: &Site| {
        let endpoints = site.groups(CLUSTER).iter().flat_map(|group| &group.endpoints);
        let healths = endpoints.map(|own| (own.address.clone(), own.health == EndpointHealth::Ready));
        healths.collect::<BTreeMap<_, _>>()
    };
    let seen = |unready: bool| {
        let all = [("10.0.0.1", false), ("10.0.0.2", true), ("10.0.0.3", true)];
        let seen = all.into_iter().skip(usize::from(!unready));
        seen.map(|(address, ready)| (address.to_owned(), ready))
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(healths(&site), seen(false));
    site.apply(&rule(&format!("{{{EJECTION}}}")));
    assert_eq!(healths(&site), seen(true));
    // Once few are healthy, Envoy would send requests there too.
    site.apply(&rule("{outlierDetection: {minHealthPercent: 50}}"));
    assert_eq!(healths(&site), seen(false));
    // An endpoint in two slices is ready if either says so.
    site.apply(&rule(&format!("{{{EJECTION}}}")));
    site.apply(&slice("2", "{addresses: [10.0.0.1], zone: z}"));
    assert!(healths(&site).values().all(|ready| *ready));
}

#[test]
fn a_pod_is_one_endpoint_whatever_families_it_has() {
    let mut site = site();
    let four = "{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}";
    let six = "{addresses: ['fd00::1']}, {addresses: ['fd00::2']}";
    site.apply(&slice("4", four));
    site.apply(&slice("6", six));
    for (spec, expected) in [
        ("ipFamilies: [IPv4, IPv6]", &["10.0.0.1", "10.0.0.2"][..]),
        ("ipFamilies: [IPv6, IPv4]", &["fd00::1", "fd00::2"]),
        ("ipFamilies: [IPv6]", &["fd00::1", "fd00::2"]),
        ("clusterIP: 10.9.9.9", &["10.0.0.1", "10.0.0.2"]),
        ("clusterIP: 'fd09::9'", &["fd00::1", "fd00::2"]),
        // A manifest without `ipFamilies`: all that is listed counts.
        ("clusterIP: None", &["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"]),
    ] {
        site.apply(&service("", spec));
        assert_eq!(site.addresses(CLUSTER), expected, "{spec}");
    }
    // The first family has no endpoints.
    site.apply(&service("", "ipFamilies: [IPv4, IPv6]"));
    site.apply(&slice("4", "{addresses: [10.0.0.1], conditions: {ready: false}}"));
    assert_eq!(site.addresses(CLUSTER), ["fd00::1", "fd00::2"]);
    site.apply(&slice("4", four));
    assert_eq!(site.addresses(CLUSTER), ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn an_endpoint_that_moves_from_one_slice_to_another_is_one() {
    let mut site = site();
    site.apply(&slice("1", "{addresses: [10.0.0.1], zone: w}"));
    site.apply(&slice(
        "2",
        "{addresses: [10.0.0.1], zone: z}, {addresses: [10.0.0.2], zone: z}",
    ));
    assert_eq!(groups(&site), ["0 r/w: 10.0.0.1", "0 r/z: 10.0.0.2"]);
}
