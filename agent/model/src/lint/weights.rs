//! Destinations that get nothing, or everything, against what their weight says.

use sealgate_core::config::{Destination, HttpRouteDestination, StreamDestination};

use crate::report::ObjectReport;
use crate::{Code, Severity};

const CODE: Code = Code::ZeroWeight;

/// A destination of several.
pub(super) trait Weighted {
    /// Where to, and its share.
    fn share(&self) -> (&Destination, Option<i64>);
}

impl Weighted for HttpRouteDestination {
    fn share(&self) -> (&Destination, Option<i64>) {
        (&self.destination, self.weight)
    }
}

impl Weighted for StreamDestination {
    fn share(&self) -> (&Destination, Option<i64>) {
        (&self.destination, self.weight)
    }
}

/// `what` is what they get a share of.
pub(super) fn check<W: Weighted>(route: &[W], place: &str, what: &str, report: &mut ObjectReport) {
    let field = |at: usize| format!("{place}.route[{at}].weight");
    if let [only] = route {
        if only.share().1 == Some(0) {
            let message = format!("a single destination gets all {what}, whatever its weight");
            report.add(Severity::Warning, CODE, field(0), message);
        }
        return;
    }
    // Refused, and said so.
    if route.iter().all(|to| to.share().1.unwrap_or(0) <= 0) {
        return;
    }
    for (at, to) in route.iter().enumerate() {
        let (Destination { host, .. }, weight) = to.share();
        match weight {
            Some(0) => report.add(Severity::Info, CODE, field(at), format!("{host} gets no {what}")),
            None => {
                let message =
                    format!("{host} gets no {what}: with several destinations, each needs a weight");
                report.add(Severity::Warning, CODE, field(at), message);
            }
            Some(_) => {}
        }
    }
}
