//! What is carried out as written and was probably not meant: rules that no request reaches, hosts that nobody
//! serves, paths with a slash too many.
//!
//! [`virtual_service`] sees one object and runs when that object changes. [`routes`] sees all of them and runs when a
//! Gateway or VirtualService changed; neither runs for a Secret or an endpoint. Both are linear in the number of rules,
//! but for logarithms.

mod cover;
mod dead;
mod gateways;
mod hosts;
mod language;
mod patterns;
mod slashes;
mod weights;

use sealgate_core::config::VirtualServiceSpec;

use crate::object::Finding;
use crate::state::State;
use crate::translate::Bound;
use crate::validate::Report;

/// Doubts about a VirtualService by itself.
pub(crate) fn virtual_service(spec: &VirtualServiceSpec, report: &mut Report) {
    for (at, rule) in spec.http.iter().enumerate() {
        let place = format!("spec.http[{at}]");
        patterns::check(rule, &place, report);
        slashes::check(rule, &place, report);
        weights::check(rule, &place, report);
    }
}

/// Doubts about Gateways and VirtualServices together; `bound` is what became of them.
#[must_use]
pub(crate) fn routes(state: &State, bound: &Bound) -> Vec<Finding> {
    let mut findings = gateways::check(state, bound);
    findings.extend(dead::check(bound));
    findings
}
