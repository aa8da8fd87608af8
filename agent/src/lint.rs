//! What is carried out as written and was probably not meant, of all objects together: rules that no request reaches,
//! hosts that nobody serves. Of one object by itself `sealgate_model::lint` says it.
//!
//! [`routes`] runs when a Gateway or VirtualService changed; not for a Secret or an endpoint. It is linear in the number of
//! rules, but for logarithms.

mod dead;
mod gateways;

use sealgate_model::Finding;

use crate::state::State;
use crate::translate::Bound;

/// Doubts about Gateways and VirtualServices together; `bound` is what became of them.
#[must_use]
pub(crate) fn routes(state: &State, bound: &Bound) -> Vec<Finding> {
    let mut findings = gateways::check(state, bound);
    findings.extend(dead::check(bound));
    findings
}
