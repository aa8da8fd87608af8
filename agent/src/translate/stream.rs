//! Connections that are passed on as a whole, by Envoy's TCP proxy, each to one destination. It is a separate extension
//! (ECDS), so that a change of destinations or weights does not change the listener, and connections stay open.

use envoy_types::pb::envoy::config::core::v3::ExtensionConfigSource;
use envoy_types::pb::envoy::config::listener::v3::{Filter, filter};
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{
    TcpProxy,
    tcp_proxy::{ClusterSpecifier, WeightedCluster, weighted_cluster::ClusterWeight},
};
use prost::{Message as _, Name as _};
use sealgate_model::resolve::StreamKey;
use sealgate_model::resolved::Share;

use super::{access_log, named, wire};
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};
use crate::snapshot::Resource;
use crate::valid::{Packer, Violation};

const PREFIX: &str = "stream-";

/// The name under which a filter chain asks for its proxy.
pub(super) fn name(port: u16, chain: &str) -> String {
    format!("{PREFIX}{port}/{chain}")
}

/// The filter chain whose proxy has this name.
pub(super) fn chain_of_name(name: &str) -> Option<(u16, &str)> {
    let (port, chain) = name.strip_prefix(PREFIX)?.split_once('/')?;
    Some((port.parse().ok()?, chain))
}

/// The filter of a chain, which refers to the extension.
pub(super) fn filter(port: u16, chain: &str) -> Filter {
    Filter {
        name: name(port, chain),
        config_type: Some(filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
            // As for the filter of requests: without it, every connection would be closed.
            config_source: Some(wire::from_ads(wire::seconds(0))),
            type_urls: vec![TcpProxy::type_url()],
            ..Default::default()
        })),
    }
}

/// The extension itself; none if there is no destination.
pub(super) fn resource(
    (port, chain): &StreamKey,
    shares: &[Share],
    limits: &EnvoyLimits,
) -> Option<Result<Resource, Violation>> {
    let packer = Packer::checking();
    let proxy = TcpProxy {
        stat_prefix: named::listener(*port),
        cluster_specifier: Some(specifier(shares)?),
        idle_timeout: wire::limit(limits.of(EnvoyLimit::TcpIdle)),
        access_log: vec![access_log::build(&packer)],
        ..Default::default()
    };
    let extension = wire::extension(&packer, &name(*port, chain), &proxy);
    packer.check(&extension);
    let verdict = packer.verdict();
    Some(verdict.map(|()| Resource::new(extension.encode_to_vec())))
}

fn specifier(shares: &[Share]) -> Option<ClusterSpecifier> {
    if let [only] = shares {
        return Some(ClusterSpecifier::Cluster(only.cluster.to_string()));
    }
    let clusters = shares.iter().map(|share| ClusterWeight {
        name: share.cluster.to_string(),
        weight: share.weight,
        ..Default::default()
    });
    let clusters: Vec<_> = clusters.collect();
    (!clusters.is_empty()).then_some(ClusterSpecifier::WeightedClusters(WeightedCluster { clusters }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_made() {
        let made = name(443, "team/own/0/*.a.test");
        assert_eq!(chain_of_name(&made), Some((443, "team/own/0/*.a.test")));
        assert_eq!(chain_of_name("sealgate-443"), None);
    }
}
