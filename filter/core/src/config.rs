//! What the user wrote: the specs of Istio's networking objects as serde types that know every field, also those
//! that are not carried out (those are reported, never dropped in silence).

mod destination_rule;
mod gateway;
mod service_entry;
mod virtual_service;

pub use destination_rule::{ClientTls, DestinationRuleSpec, PortTrafficPolicy, Subset, TrafficPolicy};
pub use gateway::{GatewaySpec, Port, Server, ServerTls};
pub use service_entry::{ServiceEntryPort, ServiceEntrySpec, WorkloadEntry};
pub use virtual_service::{
    CorsPolicy, Delegate, Destination, DirectResponse, Fault, FaultAbort, FaultDelay, HeaderOperations,
    Headers, HttpBody, HttpMatch, HttpRedirect, HttpRetry, HttpRewrite, HttpRoute, HttpRouteDestination,
    Mirror, Percent, PortSelector, RegexRewrite, StringMatch, VirtualServiceSpec,
};

use serde::{Deserialize, Deserializer};

/// `null` is the same as absent, as in protobuf's JSON.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
