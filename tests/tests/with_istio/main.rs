//! Sealgate in Istio's own ingress gateway: the real istiod, pilot-agent, API server and Envoy. Building Istio takes many
//! minutes, so these run by `cargo xtask test istio` alone.

mod edge;
mod full;
mod guard;
mod sds;
mod wasm;
