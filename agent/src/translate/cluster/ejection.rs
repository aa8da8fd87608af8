//! When an endpoint is ejected for a while: as in Istio, only for consecutive errors, never by comparison with other
//! endpoints.

use envoy_types::pb::envoy::config::cluster::v3::OutlierDetection;
use envoy_types::pb::google::protobuf::UInt32Value;
use sealgate_model::resolved::Ejection;

use super::wire;

pub(super) fn build(own: &Ejection) -> OutlierDetection {
    let connection_errors = own.connection_errors.flatten();
    OutlierDetection {
        consecutive_5xx: own.server_errors.and_then(wire::uint),
        enforcing_consecutive_5xx: enforced(own.server_errors),
        consecutive_gateway_failure: own.gateway_errors.and_then(wire::uint),
        enforcing_consecutive_gateway_failure: enforced(own.gateway_errors),
        split_external_local_origin_errors: own.connection_errors.is_some(),
        consecutive_local_origin_failure: connection_errors.and_then(wire::uint),
        enforcing_consecutive_local_origin_failure: enforced(connection_errors),
        interval: own.interval.and_then(wire::duration),
        base_ejection_time: own.base_time.and_then(wire::duration),
        max_ejection_percent: own.most_percent.and_then(wire::uint),
        enforcing_success_rate: wire::uint(0),
        enforcing_local_origin_success_rate: own.connection_errors.and_then(|_| wire::uint(0)),
        ..OutlierDetection::default()
    }
}

/// A number of errors is enforced always or, if it is 0, never.
fn enforced(errors: Option<u32>) -> Option<UInt32Value> {
    wire::uint(if errors? > 0 { 100 } else { 0 })
}
