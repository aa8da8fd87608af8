//! Envoy's fault filter: it delays requests, which a wasm filter cannot, and then aborts them if asked. The routing
//! filter decides at random, and asks with headers.

use envoy_types::pb::envoy::extensions::filters::common::fault::v3::{
    FaultDelay,
    fault_delay::{FaultDelaySecifier, HeaderDelay},
};
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::{
    FaultAbort, HttpFault,
    fault_abort::{ErrorType, HeaderAbort},
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};
use envoy_types::pb::envoy::r#type::v3::FractionalPercent;

use crate::valid::Packer;

pub(super) fn filter(packer: &Packer) -> HttpFilter {
    // Every request that asks for a fault gets it: our filter has already applied the percentage.
    let always = Some(FractionalPercent {
        numerator: 100,
        ..FractionalPercent::default()
    });
    let fault = HttpFault {
        delay: Some(FaultDelay {
            percentage: always,
            fault_delay_secifier: Some(FaultDelaySecifier::HeaderDelay(HeaderDelay {})),
        }),
        abort: Some(FaultAbort {
            percentage: always,
            error_type: Some(ErrorType::HeaderAbort(HeaderAbort {})),
            ..FaultAbort::default()
        }),
        ..HttpFault::default()
    };
    HttpFilter {
        name: "envoy.filters.http.fault".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(packer.any(&fault))),
        ..HttpFilter::default()
    }
}
