//! Addresses of a network that only exists in its namespace, without a way out.

pub(super) const NODE: &str = "10.70.0.1";
pub(super) const PODS: &str = "10.71.0.0/24";
pub(super) const SERVICES: &str = "10.72.0.0/16";
/// The Service of the API server: the first address.
pub(super) const API_SERVER: &str = "10.72.0.1";
/// What a load balancer would give to the gateway.
pub(super) const GATEWAY: &str = "10.73.0.2";
