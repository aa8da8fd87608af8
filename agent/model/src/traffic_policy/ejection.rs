//! `outlierDetection`.

use sealgate_core::config::OutlierDetection;

use super::PolicyProblems;
use crate::resolved::Ejection;

pub(super) fn lower(own: &OutlierDetection, problems: &mut PolicyProblems) -> Ejection {
    problems.no_effect(
        "outlierDetection.consecutiveErrors",
        own.consecutive_errors.is_some(),
        "Istio has removed this field; use `consecutiveGatewayErrors` or `consecutive5xxErrors`",
    );
    let is_split = own.split_external_local_origin_errors == Some(true);
    problems.no_effect(
        "outlierDetection.consecutiveLocalOriginFailures",
        own.consecutive_local_origin_failures.is_some() && !is_split,
        "without `splitExternalLocalOriginErrors`, errors of the connection count as 5xx",
    );
    let interval = own.interval.as_ref();
    let base_time = own.base_ejection_time.as_ref();
    let connection_errors = own.consecutive_local_origin_failures.filter(|count| *count > 0);
    Ejection {
        server_errors: own.consecutive_5xx_errors,
        gateway_errors: own.consecutive_gateway_errors,
        connection_errors: is_split.then_some(connection_errors),
        interval: problems.duration("outlierDetection.interval", interval, 1.0),
        base_time: problems.duration("outlierDetection.baseEjectionTime", base_time, 1.0),
        most_percent: problems
            .percent("outlierDetection.maxEjectionPercent", own.max_ejection_percent)
            .filter(|percent| *percent > 0),
        panic_percent: problems
            .percent("outlierDetection.minHealthPercent", own.min_health_percent)
            .unwrap_or(0),
    }
}
