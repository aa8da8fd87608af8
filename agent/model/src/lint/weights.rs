//! Destinations that get nothing, or everything, against what their weight says.

use sealgate_core::config::HttpRoute;

use crate::report::ObjectReport;
use crate::{Code, Severity};

const CODE: Code = Code::ZeroWeight;

pub(super) fn check(rule: &HttpRoute, place: &str, report: &mut ObjectReport) {
    let field = |at: usize| format!("{place}.route[{at}].weight");
    if let [only] = rule.route.as_slice() {
        if only.weight == Some(0) {
            let message = "a single destination gets every request, whatever its weight";
            report.add(Severity::Warning, CODE, field(0), message);
        }
        return;
    }
    // Refused, and said so.
    if rule.route.iter().all(|to| to.weight.unwrap_or(0) <= 0) {
        return;
    }
    for (at, to) in rule.route.iter().enumerate() {
        let host = &to.destination.host;
        match to.weight {
            Some(0) => report.add(Severity::Info, CODE, field(at), format!("{host} gets no request")),
            None => {
                let message = format!("{host} gets no request: of several destinations each needs a weight");
                report.add(Severity::Warning, CODE, field(at), message);
            }
            Some(_) => {}
        }
    }
}
