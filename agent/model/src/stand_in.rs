//! A VirtualService that is refused as a whole and was never served: its hosts answer 503 from where it cannot be carried
//! out. Else a wider VirtualService would answer what this one was there to deny.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::config::{HttpRoute, VirtualServiceSpec};

use crate::parts::{self, ObjectPart};
use crate::validate::GATEWAYS;
use crate::{Finding, Kind, Object, Severity};

/// What stands for an object of which nothing can be served as it is, and each error with that. None if nobody knows which
/// hosts it is for, or if nothing else would answer for it: only VirtualServices are sought from the narrowest to the widest.
pub(crate) fn of(object: &Object, findings: &mut [Finding]) -> Option<Arc<Object>> {
    let Object::VirtualService(meta, spec) = object else {
        return None;
    };
    let errors = || {
        findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    };
    let end = errors().map(first_doubted).min()?;
    let broken = parts::broken(Kind::VirtualService, findings);
    let stand_in = closed(spec, end, &broken)?;
    let words = match end {
        0 => "its hosts answer 503".to_owned(),
        _ => format!("what the rules before http[{end}] do not take is answered with 503"),
    };
    for error in findings.iter_mut() {
        if error.severity == Severity::Error {
            error.message = format!("{}; {words}", error.message);
        }
    }
    Some(Arc::new(Object::VirtualService(
        Arc::clone(meta),
        Arc::new(stand_in),
    )))
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
    // One for TLS or TCP alone says nothing of HTTP requests.
    if spec.http.is_empty() {
        return None;
    }
    let before = spec.http.iter().enumerate().take(end);
    let before = before.map(|(at, rule)| match broken.contains(&ObjectPart::Rule(at)) {
        true => parts::unavailable(rule),
        false => rule.clone(),
    });
    let mut http: Vec<HttpRoute> = before.collect();
    http.push(parts::unavailable(&HttpRoute::default()));
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
        ..VirtualServiceSpec::default()
    })
}
