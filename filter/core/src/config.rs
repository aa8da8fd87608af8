//! What the user wrote: the specs of Istio's networking objects as serde types that know every field, also those
//! that are not carried out (those are reported, never dropped in silence).

/// Defines messages of Istio's: every field optional, null as absent, camel case. Messages that few objects have are boxed: a
/// rule without them is 1 KB smaller, and there are ten thousands of them.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(deserialize_with = "null_as_default")] pub $field: $type,)*
        }
    )*};
}

mod destination_rule;
mod gateway;
mod service_entry;
mod traffic_policy;
mod virtual_service;

pub use destination_rule::{DestinationRuleSpec, Subset, WorkloadSelector};
pub use gateway::{GatewaySpec, Port, Server, ServerTls};
pub use service_entry::{EntrySelector, ServiceEntryPort, ServiceEntrySpec, WorkloadEntry};
pub use traffic_policy::{
    ClientTls, ConnectionPool, ConsistentHash, HashCookie, HttpPool, LoadBalancer, LocalityBalancing,
    LocalityDistribution, LocalityFailover, MaglevHash, OutlierDetection, PortTrafficPolicy, ProxyProtocol,
    RetryBudget, RingHash, TcpKeepalive, TcpPool, TrafficPolicy, Warmup,
};
pub use virtual_service::{
    CorsPolicy, Delegate, Destination, DirectResponse, Fault, FaultAbort, FaultDelay, HeaderOperations,
    Headers, HttpBody, HttpMatch, HttpRedirect, HttpRetry, HttpRewrite, HttpRoute, HttpRouteDestination,
    Mirror, Percent, PortSelector, RegexRewrite, StreamDestination, StringMatch, TcpMatch, TcpRoute,
    TlsMatch, TlsRoute, VirtualServiceSpec,
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
