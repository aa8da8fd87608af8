//! Sealgate in Istio's own ingress gateway: the real istiod, pilot-agent, API server and Envoy. Building Istio takes
//! many minutes, so these only run with `cargo xtask test istio`.

mod edge;
mod full;
mod guard;
mod sds;
mod wasm;
