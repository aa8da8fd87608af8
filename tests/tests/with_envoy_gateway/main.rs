//! Sealgate in Envoy Gateway's proxies: the real controller, API server and Envoy, and the manifests that
//! `docs/journeys/envoy-gateway.md` shows. Building Envoy Gateway takes minutes, so these only run with `cargo xtask
//! test envoy-gateway`.

mod certificates;
mod filter;
mod page;
