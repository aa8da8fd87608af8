//! Envoy's fault filter: it lets requests wait, which a wasm filter cannot, and ends them afterwards if so asked. The
//! routing filter draws, and asks by headers.

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
    // Whoever is asked for a fault gets it: the share was drawn before.
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
