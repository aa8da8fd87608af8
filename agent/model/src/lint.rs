//! What is carried out as written and was probably not meant, as far as one object shows it: conditions that nothing
//! meets, paths with a slash too many, weights that give nothing. Linear in the number of rules.

pub mod cover;
mod language;
mod patterns;
mod preflights;
mod slashes;
mod weights;

use sealgate_core::config::VirtualServiceSpec;

use crate::report::ObjectReport;

/// Doubts about a VirtualService by itself.
pub(crate) fn virtual_service(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    for (at, rule) in spec.http.iter().enumerate() {
        let place = format!("spec.http[{at}]");
        patterns::check(rule, &place, report);
        slashes::check(rule, &place, report);
        weights::check(&rule.route, &place, "requests", report);
    }
    for (at, rule) in spec.tls.iter().enumerate() {
        weights::check(&rule.route, &format!("spec.tls[{at}]"), "connections", report);
    }
    for (at, rule) in spec.tcp.iter().enumerate() {
        weights::check(&rule.route, &format!("spec.tcp[{at}]"), "connections", report);
    }
    preflights::check(spec, report);
}
