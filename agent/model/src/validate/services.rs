//! DestinationRules and ServiceEntries: what of them is read, and what is not carried out.

use sealgate_core::config::{DestinationRuleSpec, ServiceEntrySpec};

use crate::report::ObjectReport;

pub(super) fn destination_rule(spec: &DestinationRuleSpec, report: &mut ObjectReport) {
    report.not_carried_out("spec.trafficPolicy", spec.traffic_policy.is_some());
    report.not_carried_out("spec.workloadSelector", spec.workload_selector.is_some());
    for (at, subset) in spec.subsets.iter().enumerate() {
        let field = format!("spec.subsets[{at}].trafficPolicy");
        report.not_carried_out(field, subset.traffic_policy.is_some());
    }
}

pub(super) fn service_entry(spec: &ServiceEntrySpec, report: &mut ObjectReport) {
    report.not_carried_out("spec.workloadSelector", spec.workload_selector.is_some());
    report.not_carried_out("spec.subjectAltNames", !spec.subject_alt_names.is_empty());
    for (at, endpoint) in spec.endpoints.iter().enumerate() {
        for (name, given) in [
            ("network", &endpoint.network),
            ("locality", &endpoint.locality),
            ("serviceAccount", &endpoint.service_account),
        ] {
            report.not_carried_out(format!("spec.endpoints[{at}].{name}"), given.is_some());
        }
    }
}
