//! Subsets of a Service: which endpoints have the labels, and the findings when labels are unknown.

use super::site::Site;
use super::*;
use crate::Code;

const SITE: &str = "
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g}, spec: {selector: {istio: ingressgateway},
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v}, spec: {hosts: [a.test], gateways: [gw/g],
  http: [{route: [{destination: {host: app, subset: v1}}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: app}, spec: {ports: [{name: http, port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
  metadata: {name: app-1, labels: {kubernetes.io/service-name: app}}, ports: [{name: http, port: 8080}], endpoints: [
  {addresses: [10.0.0.1], targetRef: {kind: Pod, name: one}}, {addresses: [10.0.0.2], targetRef: {kind: Pod, name: two}},
  {addresses: [10.0.0.3]}]}
";
const RULE: &str =
    "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r}, spec: {host: app,
  subsets: [{name: v1, labels: {version: v1, tier: web}}]}}";
const ALL: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

const CLUSTER: &str = "outbound|80|v1|app.default.svc.cluster.local";

fn site() -> Site {
    let mut site = Site::new(SITE);
    site.apply(RULE);
    site
}

/// The addresses of the subset, and the findings about it.
fn subset(site: &Site) -> (Vec<String>, Vec<Code>) {
    let addresses = site.addresses(CLUSTER);
    (addresses.into_iter().map(str::to_owned).collect(), site.codes())
}

fn expected(addresses: &[&str], codes: &[Code]) -> (Vec<String>, Vec<Code>) {
    (
        addresses.iter().map(ToString::to_string).collect(),
        codes.to_vec(),
    )
}

#[test]
fn a_subset_has_the_endpoints_whose_pods_have_all_of_its_labels() {
    let mut site = site();
    assert_eq!(subset(&site), expected(&ALL, &[Code::SubsetNotCarriedOut]));
    assert_eq!(site.needed(), ["default"]);

    // Once one pod is known, the others count as not having the labels.
    site.pod("one", "version: v1, tier: web, more: '1'");
    assert_eq!(subset(&site), expected(&["10.0.0.1"], &[]));
    site.pod("two", "version: v1");
    assert_eq!(subset(&site), expected(&["10.0.0.1"], &[]));
    site.pod("two", "version: v1, tier: web");
    assert_eq!(subset(&site), expected(&["10.0.0.1", "10.0.0.2"], &[]));

    // Green, blue: no endpoint is left.
    site.pod("one", "version: v2, tier: web");
    assert_eq!(subset(&site), expected(&["10.0.0.2"], &[]));
    site.delete(Kind::Pod, "two");
    assert_eq!(subset(&site), expected(&[], &[Code::EmptySubset]));
    site.delete(Kind::Pod, "one");
    assert_eq!(subset(&site), expected(&ALL, &[Code::SubsetNotCarriedOut]));
}

#[test]
fn a_pod_touches_the_subsets_that_have_it_and_no_others() {
    let mut site = site();
    site.pod("one", "version: v1, tier: web");
    assert_eq!(site.pod("stranger", "version: v1, tier: web"), [""; 0]);
    assert_eq!(site.pod("one", "version: v1, tier: web, more: '1'"), [""; 0]);
    assert_eq!(site.pod("two", "version: v1, tier: web"), [CLUSTER]);
}

#[test]
fn pods_are_needed_while_a_subset_with_labels_is_in_use() {
    let mut site = site();
    assert_eq!(site.needed(), ["default"]);
    site.apply(&RULE.replace("{version: v1, tier: web}", "{}"));
    assert_eq!(site.needed(), [""; 0]);
    assert_eq!(subset(&site), expected(&ALL, &[]));
    site.apply(RULE);
    assert_eq!(site.needed(), ["default"]);
    site.delete(Kind::VirtualService, "v");
    assert_eq!(site.needed(), [""; 0]);
}

#[test]
fn addresses_of_older_endpoints_belong_to_pods_too() {
    let mut site = site();
    site.delete(Kind::EndpointSlice, "app-1");
    site.apply(
        "{apiVersion: v1, kind: Endpoints, metadata: {name: app}, subsets: [{ports: [{name: http, port: 8080}], addresses: [
          {ip: 10.0.0.1, targetRef: {kind: Pod, name: one}}, {ip: 10.0.0.2, targetRef: {kind: Node, name: two}}]}]}",
    );
    site.pod("two", "version: v1, tier: web");
    assert_eq!(subset(&site), expected(&[], &[Code::EmptySubset]));
    site.pod("one", "version: v1, tier: web");
    assert_eq!(subset(&site), expected(&["10.0.0.1"], &[]));
}
