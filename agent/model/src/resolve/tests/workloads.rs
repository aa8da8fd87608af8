//! ServiceEntries that select WorkloadEntries, and the names by which others are resolved.

use super::site::Site;
use super::*;
use crate::Code;
use crate::resolved::EndpointSource;

const SITE: &str = "
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g}, spec: {selector: {istio: ingressgateway},
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v}, spec: {hosts: [a.test], gateways: [gw/g],
  http: [{route: [{destination: {host: vm.test}}]}]}}
";

fn entry(namespace: &str, more: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: vm, namespace: {namespace}}}, spec: {{
          hosts: [vm.test], ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8080}}], {more}}}}}"
    )
}

const STATIC: &str = "resolution: STATIC, workloadSelector: {labels: {app: vm, tier: web}}";

fn workload(namespace: &str, name: &str, labels: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {{name: {name}, namespace: {namespace},
          labels: {{{labels}}}}}, spec: {{{spec}}}}}"
    )
}

fn site() -> Site {
    let mut site = Site::of(Objects::default().gateway());
    site.apply(SITE);
    site
}

fn endpoints(site: &Site) -> (&'static str, Vec<String>) {
    let upstream = site.resolver.upstream("outbound|80||vm.test").unwrap();
    let kind = match upstream.endpoints.source {
        EndpointSource::Pushed => "known",
        EndpointSource::Dns => "dns",
        EndpointSource::RoundRobinDns => "round robin",
    };
    let all = upstream
        .endpoints
        .groups
        .iter()
        .flat_map(|group| &group.endpoints);
    let shown = all.map(|own| format!("{}:{}", own.address, own.port));
    (kind, shown.collect())
}

#[test]
fn an_entry_has_the_workloads_of_its_namespace_with_all_of_its_labels() {
    let mut site = site();
    site.apply(&entry("team", STATIC));
    assert_eq!(endpoints(&site), ("known", vec![]));
    assert_eq!(site.codes(), [Code::NoWorkload]);

    // By labels of the spec, of the metadata, or both; those of the metadata take precedence.
    site.apply(&workload(
        "team",
        "one",
        "",
        "address: 10.0.0.1, labels: {app: vm, tier: web}",
    ));
    site.apply(&workload(
        "team",
        "two",
        "app: vm, tier: web",
        "address: 10.0.0.2, ports: {http: 9090}",
    ));
    site.apply(&workload(
        "team",
        "three",
        "tier: web",
        "address: 10.0.0.3, labels: {app: vm}",
    ));
    site.apply(&workload(
        "team",
        "four",
        "tier: db",
        "address: 10.0.0.4, labels: {app: vm, tier: web}",
    ));
    let strange = site.apply(&workload(
        "other",
        "one",
        "app: vm, tier: web",
        "address: 10.0.0.5",
    ));
    assert_eq!(strange, [""; 0]);
    let all = ["10.0.0.1:8080", "10.0.0.2:9090", "10.0.0.3:8080"];
    assert_eq!(endpoints(&site), ("known", all.map(str::to_owned).to_vec()));
    assert_eq!(site.codes(), []);

    assert_eq!(
        site.apply(&workload("team", "five", "app: db", "address: 10.0.0.6")),
        [""; 0]
    );
    site.apply(&workload("team", "one", "", "address: 10.0.0.1"));
    site.delete_in("team", Kind::WorkloadEntry, "two");
    assert_eq!(endpoints(&site), ("known", vec!["10.0.0.3:8080".to_owned()]));
    // Another selector.
    site.apply(&entry(
        "team",
        "resolution: STATIC, workloadSelector: {labels: {app: db}}",
    ));
    assert_eq!(endpoints(&site), ("known", vec!["10.0.0.6:8080".to_owned()]));
    // An empty selector selects nothing, like a Service's.
    site.apply(&entry(
        "team",
        "resolution: STATIC, workloadSelector: {labels: {}}",
    ));
    assert_eq!(endpoints(&site), ("known", vec![]));
}

#[test]
fn workloads_with_names_are_resolved_and_listed_endpoints_come_first() {
    let mut site = site();
    let dns = "resolution: DNS, workloadSelector: {labels: {app: vm}}";
    site.apply(&entry("team", dns));
    // The entry's own name does not belong to a workload.
    assert_eq!(endpoints(&site), ("dns", vec![]));
    site.apply(&workload("team", "one", "app: vm", "address: one.test"));
    site.apply(&workload("team", "two", "app: vm", "address: 10.0.0.2"));
    let both = ["one.test:8080", "10.0.0.2:8080"].map(str::to_owned);
    assert_eq!(endpoints(&site), ("dns", both.to_vec()));
    site.apply(&entry(
        "team",
        &format!("{dns}, endpoints: [{{address: listed.test}}]"),
    ));
    assert_eq!(endpoints(&site), ("dns", vec!["listed.test:8080".to_owned()]));
}

#[test]
fn a_resolution_is_what_the_page_says() {
    let mut site = site();
    for (more, expected, codes) in [
        ("resolution: DNS", ("dns", vec!["vm.test:8080"]), &[][..]),
        (
            "resolution: DNS_ROUND_ROBIN",
            ("round robin", vec!["vm.test:8080"]),
            &[],
        ),
        (
            "resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.test}]",
            ("round robin", vec!["b.test:8080"]),
            &[],
        ),
        (
            "resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.test}, {address: c.test}]",
            ("dns", vec!["b.test:8080", "c.test:8080"]),
            &[],
        ),
        ("resolution: NONE", ("dns", vec!["vm.test:8080"]), &[]),
        ("resolution: DYNAMIC_DNS", ("dns", vec!["vm.test:8080"]), &[]),
        ("resolution: STATIC", ("known", vec![]), &[]),
        (
            "resolution: STATIC, endpoints: [{address: b.test}]",
            ("dns", vec!["b.test:8080"]),
            &[],
        ),
    ] {
        site.apply(&entry("team", more));
        let (kind, all) = expected;
        assert_eq!(
            endpoints(&site),
            (kind, all.into_iter().map(str::to_owned).collect()),
            "{more}"
        );
        assert_eq!(site.codes(), codes, "{more}");
    }
}

#[test]
fn a_subset_of_listed_endpoints_never_falls_back_to_the_host() {
    let mut site = site();
    site.apply(
        "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v}, spec: {hosts: [a.test], gateways: [gw/g],
          http: [{route: [{destination: {host: vm.test, subset: v1}}]}]}}",
    );
    site.apply(
        "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r, namespace: team}, spec: {host: vm.test,
          subsets: [{name: v1, labels: {v: '1'}}]}}",
    );
    site.apply(&entry(
        "team",
        "resolution: DNS, endpoints: [{address: b.test, labels: {v: '2'}}]",
    ));
    let upstream = site.resolver.upstream("outbound|80|v1|vm.test").unwrap();
    assert_eq!(upstream.endpoints.source, EndpointSource::Dns);
    assert_eq!(upstream.endpoints.groups, []);
    assert_eq!(site.codes(), [Code::EmptySubset]);
}

#[test]
fn a_wildcard_needs_endpoints() {
    let mut site = site();
    let wide = |more: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{name: vm, namespace: team}}, spec: {{
              hosts: ['*.vm.test'], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: DNS{more}}}}}"
        )
    };
    site.apply(&SITE.replace("host: vm.test", "host: '*.vm.test'"));
    site.apply(&wide(""));
    let endpoints = |site: &Site| {
        let upstream = site.resolver.upstream("outbound|80||*.vm.test").unwrap();
        assert_eq!(upstream.endpoints.source, EndpointSource::Dns);
        let groups = upstream.endpoints.groups.iter();
        groups.map(|group| group.endpoints.len()).sum::<usize>()
    };
    assert_eq!(endpoints(&site), 0);
    assert_eq!(site.codes(), [Code::BadHost]);
    site.apply(&wide(", endpoints: [{address: a.test}]"));
    assert_eq!(endpoints(&site), 1);
    assert_eq!(site.codes(), []);
}
