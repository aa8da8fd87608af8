//! Which Gateways and ports a block of a rule's `match` applies to, for rules of every kind.

use sealgate_core::config::{HttpMatch, TcpMatch, TlsMatch};

use super::rank::Rank;
use super::service::names_gateway;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchScope<'r> {
    pub(super) port: Option<u32>,
    pub(super) gateways: &'r [String],
    pub(super) source_namespace: Option<&'r str>,
    pub(super) has_source_labels: bool,
    /// Whether it is limited to addresses, which gateways ignore.
    pub(super) has_subnets: bool,
}

impl<'r> From<&'r HttpMatch> for MatchScope<'r> {
    fn from(block: &'r HttpMatch) -> Self {
        Self {
            port: block.port,
            gateways: &block.gateways,
            source_namespace: block.source_namespace.as_deref(),
            has_source_labels: !block.source_labels.is_empty(),
            has_subnets: false,
        }
    }
}

impl<'r> From<&'r TlsMatch> for MatchScope<'r> {
    fn from(block: &'r TlsMatch) -> Self {
        Self {
            port: block.port,
            gateways: &block.gateways,
            source_namespace: block.source_namespace.as_deref(),
            has_source_labels: !block.source_labels.is_empty(),
            has_subnets: !block.destination_subnets.is_empty(),
        }
    }
}

impl<'r> From<&'r TcpMatch> for MatchScope<'r> {
    fn from(block: &'r TcpMatch) -> Self {
        Self {
            port: block.port,
            gateways: &block.gateways,
            source_namespace: block.source_namespace.as_deref(),
            has_source_labels: !block.source_labels.is_empty(),
            has_subnets: !block.destination_subnets.is_empty() || block.source_subnet.is_some(),
        }
    }
}

impl MatchScope<'_> {
    /// Whether a block of a VirtualService in `namespace` applies to this Gateway and port.
    pub(super) fn is_for(self, namespace: &str, gateway: &Rank, port: u16) -> bool {
        if self.has_subnets || self.port.is_some_and(|own| own != u32::from(port)) {
            return false;
        }
        if self.gateways.is_empty() {
            let foreign = self
                .source_namespace
                .is_some_and(|own| *own != *gateway.namespace);
            return !self.has_source_labels && !foreign;
        }
        let mut names = self.gateways.iter();
        names.any(|name| names_gateway(name, namespace, gateway))
    }
}
