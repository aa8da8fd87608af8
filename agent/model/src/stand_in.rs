//! What stands for an object that is refused as a whole and was never served, where its absence would do harm.
//!
//! - The hosts of a VirtualService answer 503 from where it cannot be carried out. Else a wider VirtualService would answer
//!   what this one was there to deny.
//! - A DestinationRule that asks for TLS still does. Else requests would be sent in plain text.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::config::{
    DestinationRuleSpec, HttpRoute, Subset, TcpRoute, TlsMatch, TlsRoute, VirtualServiceSpec,
};

use crate::parts::{self, ObjectPart};
use crate::validate::{GATEWAYS, is_host};
use crate::{Finding, Kind, Object, Severity};

/// What stands for an object of which nothing can be served as it is, and each error with that. None if nobody knows which
/// hosts it is for, or if its absence does no harm.
pub(crate) fn of(object: &Object, findings: &mut [Finding]) -> Option<Arc<Object>> {
    let (stand_in, words) = match object {
        Object::VirtualService(meta, spec) => {
            let (closed, words) = virtual_service(spec, findings)?;
            (Object::VirtualService(Arc::clone(meta), Arc::new(closed)), words)
        }
        Object::DestinationRule(meta, spec) => {
            let tls = destination_rule(spec, findings)?;
            let words = "only its TLS settings apply".to_owned();
            (Object::DestinationRule(Arc::clone(meta), Arc::new(tls)), words)
        }
        _ => return None,
    };
    for error in findings.iter_mut() {
        if error.severity == Severity::Error {
            error.message = format!("{}; {words}", error.message);
        }
    }
    Some(Arc::new(stand_in))
}

/// What stands for an object that is beyond a budget, if no version of it is served: a DestinationRule's TLS, with the subsets
/// that have it. None if it asks for none.
pub(crate) fn without_room(object: &Object) -> Option<Arc<Object>> {
    let Object::DestinationRule(meta, spec) = object else {
        return None;
    };
    let mut tls = destination_rule(spec, &[])?;
    // Where the service has TLS, each subset does: in its place that of a younger rule would count, be it without TLS.
    let is_services = tls.traffic_policy.is_some();
    tls.subsets
        .retain(|subset| is_services || subset.traffic_policy.is_some());
    Some(Arc::new(Object::DestinationRule(Arc::clone(meta), Arc::new(tls))))
}

/// A VirtualService that ends where it cannot be carried out, and what becomes of its requests.
fn virtual_service(spec: &VirtualServiceSpec, findings: &[Finding]) -> Option<(VirtualServiceSpec, String)> {
    let errors = || {
        findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    };
    let end = errors().map(first_doubted).min()?;
    let broken = parts::broken(Kind::VirtualService, findings);
    let stand_in = closed(spec, end, &broken)?;
    let words = match end {
        _ if spec.http.is_empty() => "its connections are closed".to_owned(),
        0 => "its hosts answer 503".to_owned(),
        _ => format!("requests that no rule before http[{end}] matches get 503"),
    };
    Some((stand_in, words))
}

/// What a DestinationRule says of TLS, if it asks for it anywhere.
fn destination_rule(spec: &DestinationRuleSpec, findings: &[Finding]) -> Option<DestinationRuleSpec> {
    let is_about_host = |finding: &Finding| {
        let is_error = finding.severity == Severity::Error;
        is_error && finding.field.as_deref() == Some("spec.host")
    };
    if findings.iter().any(is_about_host) {
        return None;
    }
    let broken = parts::broken(Kind::DestinationRule, findings);
    let subsets = spec.subsets.iter().enumerate();
    let subsets = subsets.filter_map(|(at, subset)| match broken.contains(&ObjectPart::Subset(at)) {
        true => parts::tls_alone(subset),
        false => Some(parts::tls_alone(subset).unwrap_or_else(|| Subset {
            traffic_policy: None,
            ..subset.clone()
        })),
    });
    let subsets: Vec<_> = subsets.collect();
    let traffic_policy = spec.traffic_policy.as_deref().and_then(parts::policy_of_tls);
    let asks = traffic_policy.is_some() || subsets.iter().any(|subset| subset.traffic_policy.is_some());
    asks.then(|| DestinationRuleSpec {
        host: spec.host.clone(),
        export_to: spec.export_to.clone(),
        workload_selector: spec.workload_selector.clone(),
        traffic_policy,
        subsets,
    })
}

/// The first rule that cannot stand because of an error: the one whose conditions it is in, or the first of all.
fn first_doubted(error: &Finding) -> usize {
    let field = error.field.as_deref().unwrap_or_default();
    if ObjectPart::of(Kind::VirtualService, field).is_some() {
        return usize::MAX;
    }
    let rule = field
        .strip_prefix("spec.http[")
        .and_then(|rest| rest.split_once(']'));
    rule.and_then(|(at, _)| at.parse().ok()).unwrap_or(0)
}

/// The rules before `end`, and then 503 for everything.
fn closed(
    spec: &VirtualServiceSpec,
    end: usize,
    broken: &BTreeSet<ObjectPart>,
) -> Option<VirtualServiceSpec> {
    let (tls, tcp) = closed_streams(spec);
    if spec.http.is_empty() && tls.is_empty() && tcp.is_empty() {
        return None;
    }
    let before = spec.http.iter().enumerate().take(end);
    let before = before.map(|(at, rule)| match broken.contains(&ObjectPart::Rule(at)) {
        true => parts::unavailable(rule),
        false => rule.clone(),
    });
    let mut http: Vec<HttpRoute> = before.collect();
    // One for TLS or TCP alone says nothing of HTTP requests.
    http.extend((!spec.http.is_empty()).then(|| parts::unavailable(&HttpRoute::default())));
    let hosts = parts::without(&spec.hosts, |at| broken.contains(&ObjectPart::Host(at)))?;
    let gateways = spec
        .gateways
        .iter()
        .filter(|name| crate::gateway_ref::is_possible(name));
    let gateways: Vec<String> = gateways.take(GATEWAYS).cloned().collect();
    // Without Gateways it would be one of the mesh.
    (gateways.is_empty() == spec.gateways.is_empty()).then(|| VirtualServiceSpec {
        hosts,
        gateways,
        export_to: spec.export_to.clone(),
        http,
        tls,
        tcp,
    })
}

/// Rules that close the connections that an object is for, as far as that can be read.
fn closed_streams(spec: &VirtualServiceSpec) -> (Vec<TlsRoute>, Vec<TcpRoute>) {
    let blocks = spec.tls.iter().flat_map(|rule| &rule.r#match);
    let names = blocks.flat_map(|block| &block.sni_hosts);
    let names = names.filter(|name| is_host(&name.to_ascii_lowercase()));
    let sni_hosts: Vec<String> = names.cloned().collect();
    let tls = (!sni_hosts.is_empty()).then(|| TlsRoute {
        r#match: vec![TlsMatch {
            sni_hosts,
            ..TlsMatch::default()
        }],
        route: Vec::new(),
    });
    let tcp = (!spec.tcp.is_empty()).then(TcpRoute::default);
    (tls.into_iter().collect(), tcp.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use sealgate_core::config::TrafficPolicy;

    use super::*;
    use crate::manifest::{self, Namespaces};
    use crate::validate;

    /// What stands for a DestinationRule with this in its spec.
    fn rule(spec: &str) -> Option<DestinationRuleSpec> {
        judged(spec).0
    }

    /// The same, with what is said of the rule.
    fn judged(spec: &str) -> (Option<DestinationRuleSpec>, Vec<Finding>) {
        let text = format!(
            "{{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {{name: r, namespace: team}}, spec: {{{spec}}}}}"
        );
        let namespaces = Namespaces {
            gateway: "gw".to_owned(),
            other: "default",
        };
        let entry = manifest::read("r.yaml", text.as_bytes(), &namespaces)
            .pop()
            .unwrap();
        let object = entry.object.unwrap();
        let mut findings = entry.findings;
        findings.extend(validate::object(&object));
        assert!(
            findings.iter().any(|own| own.severity == Severity::Error),
            "{findings:?}"
        );
        let stand_in = of(&object, &mut findings).map(|stand_in| match &*stand_in {
            Object::DestinationRule(_, spec) => (**spec).clone(),
            other => panic!("{other:?}"),
        });
        (stand_in, findings)
    }

    #[test]
    fn the_tls_of_a_rule_stays_with_those_that_it_was_for() {
        let own = rule(
            "host: a.test, workloadSelector: {matchLabels: {istio: egress}}, exportTo: [.], \
             trafficPolicy: {tls: {mode: SIMPLE}, connectionPool: {tcp: {maxConnections: -1}}}",
        )
        .unwrap();
        let selector = own.workload_selector.unwrap();
        assert_eq!(
            selector.match_labels.get("istio").map(String::as_str),
            Some("egress")
        );
        assert_eq!(own.export_to, ["."]);
        assert!(own.traffic_policy.unwrap().tls.is_some());
    }

    #[test]
    fn tls_stands_where_the_lists_around_it_cannot_be_read() {
        for lists in ["exportTo: team", "exportTo: [{}]", "subsets: v1"] {
            let own = rule(&format!(
                "host: a.test, {lists}, trafficPolicy: {{tls: {{mode: SIMPLE}}}}"
            ));
            let own = own.unwrap_or_else(|| panic!("{lists}: nothing stands"));
            assert!(own.traffic_policy.unwrap().tls.is_some(), "{lists}");
            assert!(own.export_to.is_empty() && own.subsets.is_empty(), "{lists}");
        }
    }

    /// The mode of a policy's TLS, and how many ports it has.
    fn mode(policy: &TrafficPolicy) -> (Option<String>, usize) {
        let mode = policy.tls.as_ref().and_then(|tls| tls.mode.clone());
        (mode, policy.port_level_settings.len())
    }

    #[test]
    fn tls_of_more_ports_or_labels_than_there_may_be_is_no_plain_text() {
        let ports = |count: u32| {
            let ports =
                (1..=count).map(|port| format!("{{port: {{number: {port}}}, tls: {{mode: SIMPLE}}}}"));
            ports.collect::<Vec<_>>().join(", ")
        };
        let policy = |count| format!("trafficPolicy: {{portLevelSettings: [{}]}}", ports(count));
        let many = Some("(too many portLevelSettings)".to_owned());
        let own = rule(&format!("host: a.test, {}", policy(129))).unwrap();
        assert_eq!(mode(&own.traffic_policy.unwrap()), (many, 0));
        let own = rule(&format!("host: a.test, exportTo: team, {}", policy(128))).unwrap();
        assert_eq!(mode(&own.traffic_policy.unwrap()), (None, 128));
        let labels: Vec<_> = (0..65).map(|at| format!("l{at}: x")).collect();
        let own = rule(&format!(
            "host: a.test, exportTo: team, subsets: [{{name: v1, labels: {{{}}}, {}}}]",
            labels.join(", "),
            policy(1)
        ))
        .unwrap();
        let [subset] = own.subsets.as_slice() else {
            panic!("{own:?}");
        };
        assert_eq!(mode(subset.traffic_policy.as_ref().unwrap()), (None, 1));
        assert!(subset.labels.is_empty());
    }

    #[test]
    fn a_selector_that_cannot_be_read_selects_all_that_it_could() {
        let cases: [(&str, &str, &[&str]); 4] = [
            ("[a]", "", &[]),
            ("egress", "", &[]),
            ("{matchLabels: [a]}", ".matchLabels", &[]),
            (
                "{matchLabels: {istio: egress, version: 1}}",
                ".matchLabels.version",
                &["istio"],
            ),
        ];
        for (selector, place, labels) in cases {
            let (own, findings) = judged(&format!(
                "host: a.test, workloadSelector: {selector}, trafficPolicy: {{tls: {{mode: SIMPLE}}}}"
            ));
            let own = own.unwrap_or_else(|| panic!("{selector}: nothing stands"));
            assert!(own.traffic_policy.unwrap().tls.is_some(), "{selector}");
            let left = own.workload_selector.unwrap().match_labels;
            assert_eq!(left.keys().collect::<Vec<_>>(), labels, "{selector}");
            let fields: Vec<_> = findings.iter().map(|own| own.field.as_deref()).collect();
            let place = format!("spec.workloadSelector{place}");
            assert_eq!(fields, [Some(place.as_str())], "{selector}");
        }
    }

    #[test]
    fn tls_stands_where_nothing_else_can_be_read() {
        let own = rule(
            "host: a.test, workloadSelector: [], exportTo: team, subsets: v1, \
             trafficPolicy: {tls: {mode: SIMPLE}}",
        );
        let own = own.unwrap();
        assert!(own.traffic_policy.unwrap().tls.is_some());
        assert!(own.export_to.is_empty() && own.subsets.is_empty());
        assert!(own.workload_selector.unwrap().match_labels.is_empty());
    }
}
