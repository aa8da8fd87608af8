//! Where the rules of a VirtualService send requests: names that services can have, and nothing else. They become the names
//! of clusters, and stand in logs.

use sealgate_core::config::{Delegate, Destination, VirtualServiceSpec};

use super::{is_name_of_host, is_port, is_subset};
use crate::manifest::is_name;
use crate::report::ObjectReport;
use crate::{Code, Severity};

pub(super) fn check(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    for (at, rule) in spec.http.iter().enumerate() {
        let field = format!("spec.http[{at}]");
        for (at, to) in rule.route.iter().enumerate() {
            destination(
                &to.destination,
                &format!("{field}.route[{at}].destination"),
                report,
            );
        }
        if let Some(to) = &rule.mirror {
            destination(to, &format!("{field}.mirror"), report);
        }
        for (at, mirror) in rule.mirrors.iter().enumerate() {
            if let Some(to) = &mirror.destination {
                destination(to, &format!("{field}.mirrors[{at}].destination"), report);
            }
        }
        if let Some(to) = &rule.delegate {
            delegate(to, &format!("{field}.delegate"), report);
        }
    }
}

pub(super) fn destination(to: &Destination, field: &str, report: &mut ObjectReport) {
    let mut refuse = |place: &str, message: String| {
        report.add(
            Severity::Error,
            Code::BadDestination,
            format!("{field}.{place}"),
            message,
        );
    };
    // One that is empty is refused with its rule.
    let host = to.host.strip_prefix("*.").unwrap_or(&to.host);
    if !to.host.is_empty() && !is_name_of_host(host) {
        refuse("host", format!("{:?} is not the name of a service", to.host));
    }
    if let Some(subset) = to
        .subset
        .as_deref()
        .filter(|subset| !subset.is_empty() && !is_subset(subset))
    {
        refuse("subset", format!("{subset:?} is not the name of a subset"));
    }
    if let Some(port) = to.port.as_ref().filter(|port| !is_port(port.number)) {
        refuse("port.number", format!("{} is not from 1 to 65535", port.number));
    }
}

fn delegate(to: &Delegate, field: &str, report: &mut ObjectReport) {
    for (place, name) in [("name", &to.name), ("namespace", &to.namespace)] {
        if let Some(name) = name.as_deref().filter(|name| !name.is_empty() && !is_name(name)) {
            let message = format!("{name:?} is not a name that an object can have");
            report.add(
                Severity::Error,
                Code::BadDestination,
                format!("{field}.{place}"),
                message,
            );
        }
    }
}
