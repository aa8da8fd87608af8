//! Where rules send requests, as Istio's names of clusters. Services are not known here, so ambiguous names are
//! rejected.

use super::manifest::GivenService;
use super::problem::{PluginCode, PluginReport};
use crate::config::{Destination, HttpRoute};
use crate::host;

/// What follows the namespace in the full name of a Service.
const SERVICE_SUFFIX: &str = ".svc.cluster.local";

/// The cluster of a destination; [`check`] reports what is wrong with it.
pub(super) fn cluster(to: &Destination, namespace: Option<&str>) -> String {
    let port = to.port.as_ref().map_or(0, |port| port.number);
    let subset = to.subset.as_deref().unwrap_or_default();
    let mut host = to.host.to_ascii_lowercase();
    if let Some(namespace) = namespace
        && !host.contains('.')
    {
        host = format!("{host}.{namespace}{SERVICE_SUFFIX}");
    }
    format!("outbound|{port}|{subset}|{host}")
}

/// The destinations of the rule at `place`.
pub(super) fn check(rule: &HttpRoute, service: &GivenService, place: &str, report: &mut PluginReport) {
    for (at, to) in rule.route.iter().enumerate() {
        let place = format!("{place}.route[{at}].destination");
        one(&to.destination, service, &place, report);
    }
}

fn one(to: &Destination, service: &GivenService, place: &str, report: &mut PluginReport) {
    let mut refuse = |field: &str, message: String| {
        report.refuse(PluginCode::BadDestination, format!("{place}.{field}"), message);
    };
    // An empty one is rejected with its rule.
    if !to.host.is_empty() && !host::is_name(&to.host) {
        refuse("host", format!("{:?} is not the name of a service", to.host));
    } else if !to.host.contains('.') && service.namespace.is_none() {
        let message = format!(
            "{:?}: a full name is needed (NAME.NAMESPACE{SERVICE_SUFFIX}), or a VirtualService with metadata.namespace",
            to.host
        );
        refuse("host", message);
    }
    let subset = to.subset.as_deref().unwrap_or_default();
    if !subset.is_empty() && !host::is_subset(subset) {
        refuse("subset", format!("{subset:?} is not the name of a subset"));
    }
    match &to.port {
        None => refuse(
            "port",
            "without an agent nobody knows a service's ports: name one".to_owned(),
        ),
        Some(port) if !(1..=65535).contains(&port.number) => {
            refuse("port.number", format!("{} is not from 1 to 65535", port.number));
        }
        Some(_) => {}
    }
}
