//! Sealgate in Envoy Gateway's proxies: the real controller, API server and Envoy, and the manifests that
//! `docs/journeys/envoy-gateway.md` shows. Building Envoy Gateway takes minutes, so these run by
//! `cargo xtask test envoy-gateway` alone.

mod certificates;
mod filter;
mod page;
