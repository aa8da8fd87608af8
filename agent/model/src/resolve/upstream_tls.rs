//! Where DestinationRules ask for TLS towards an upstream, which is not carried out: what is sent there in plain text
//! instead would be readable, or sent to a port that does not understand it. So nothing is sent.

use sealgate_core::config::{ClientTls, DestinationRuleSpec, TrafficPolicy};

use crate::{Code, Finding, ObjectRef, Severity};

/// Whether TLS is asked for on this port, by a service's policy and that of one of its subsets, as Istio merges them.
pub(super) fn is_asked_for(
    service: Option<&TrafficPolicy>,
    subset: Option<&TrafficPolicy>,
    port: u32,
) -> bool {
    let mut tls: Option<&ClientTls> = None;
    for policy in [service, subset].into_iter().flatten() {
        tls = policy.tls.as_ref().or(tls);
        let mut own = policy.port_level_settings.iter();
        let own = own.find(|own| own.port.as_ref().is_some_and(|own| own.number == port));
        // What it leaves out has its default.
        if let Some(own) = own {
            tls = own.tls.as_ref();
        }
    }
    tls.is_some_and(ClientTls::is_on)
}

/// What is to be said of a DestinationRule that asks for TLS.
pub(super) fn findings(rule: &ObjectRef, spec: &DestinationRuleSpec) -> Vec<Finding> {
    let subsets = spec.subsets.iter().enumerate();
    let subsets = subsets.filter_map(|(at, subset)| {
        let policy = subset.traffic_policy.as_deref()?;
        Some((format!("spec.subsets[{at}].trafficPolicy"), policy))
    });
    let service = spec.traffic_policy.as_deref();
    let service = service.map(|policy| ("spec.trafficPolicy".to_owned(), policy));
    let policies = service.into_iter().chain(subsets);
    policies
        .flat_map(|(place, policy)| places(&place, policy))
        .map(|field| Finding {
            severity: Severity::Error,
            code: Code::UpstreamTls,
            object: rule.clone(),
            field: Some(field),
            message: "TLS towards upstreams is not carried out, and requests would go in plain text: they are answered with \
                      503"
            .to_owned(),
        })
        .collect()
}

fn places(place: &str, policy: &TrafficPolicy) -> Vec<String> {
    let is_on = |tls: &Option<ClientTls>| tls.as_ref().is_some_and(ClientTls::is_on);
    let own = is_on(&policy.tls).then(|| format!("{place}.tls"));
    let ports = policy.port_level_settings.iter().enumerate();
    let ports = ports.filter(|(_, port)| is_on(&port.tls));
    let ports = ports.map(|(at, _)| format!("{place}.portLevelSettings[{at}].tls"));
    own.into_iter().chain(ports).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(value: serde_json::Value) -> TrafficPolicy {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_port_has_its_own_word_and_a_subset_the_last() {
        let on = json!({"tls": {"mode": "SIMPLE"}});
        let off = json!({"tls": {"mode": "DISABLE"}});
        let port =
            |mode: &str| json!({"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": mode}}]});
        let silent = json!({"tls": {"mode": "SIMPLE"}, "portLevelSettings": [{"port": {"number": 443}}]});
        let none = json!({});
        for (service, subset, at_443, at_80) in [
            (&none, &none, false, false),
            (&on, &none, true, true),
            (&off, &none, false, false),
            (&none, &on, true, true),
            (&on, &off, false, false),
            (&off, &on, true, true),
            (&port("SIMPLE"), &none, true, false),
            (&port("DISABLE"), &on, true, true),
            (&on, &port("DISABLE"), false, true),
            (&port("ISTIO_MUTUAL"), &off, false, false),
            (&silent, &none, false, true),
            (&port("SIMPLES"), &none, true, false),
        ] {
            let (own, part) = (policy(service.clone()), policy(subset.clone()));
            let asked = |port| is_asked_for(Some(&own), Some(&part), port);
            assert_eq!((asked(443), asked(80)), (at_443, at_80), "{service} {subset}");
        }
        assert!(!is_asked_for(None, None, 443));
    }
}
