//! Which policy counts for a port of a service, and for one of a subset.

use sealgate_core::config::{
    ClientTls, ConnectionPool, LoadBalancer, OutlierDetection, PortTrafficPolicy, ProxyProtocol, RetryBudget,
    TrafficPolicy,
};

/// What counts, field by field.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MergedPolicy<'p> {
    pub(crate) load_balancer: Option<&'p LoadBalancer>,
    pub(crate) connection_pool: Option<&'p ConnectionPool>,
    pub(crate) outlier_detection: Option<&'p OutlierDetection>,
    pub(crate) tls: Option<&'p ClientTls>,
    pub(crate) proxy_protocol: Option<&'p ProxyProtocol>,
    pub(crate) retry_budget: Option<&'p RetryBudget>,
}

impl<'p> MergedPolicy<'p> {
    /// A service's policy and that of one of its subsets, as Istio merges them for a port: the subset's fields replace the
    /// service's, and those of a port replace both, also by what they leave out.
    pub(crate) fn of(
        service: Option<&'p TrafficPolicy>,
        subset: Option<&'p TrafficPolicy>,
        port: u32,
    ) -> Self {
        let mut merged = Self::default();
        for policy in [service, subset].into_iter().flatten() {
            merged = merged.replaced_by(policy);
            let mut ports = policy.port_level_settings.iter();
            let own = ports.find(|own| own.port.as_ref().is_some_and(|own| own.number == port));
            if let Some(own) = own {
                merged = merged.of_port(own);
            }
        }
        merged
    }

    fn replaced_by(self, policy: &'p TrafficPolicy) -> Self {
        Self {
            load_balancer: policy.load_balancer.as_ref().or(self.load_balancer),
            connection_pool: policy.connection_pool.as_ref().or(self.connection_pool),
            outlier_detection: policy.outlier_detection.as_ref().or(self.outlier_detection),
            tls: policy.tls.as_ref().or(self.tls),
            proxy_protocol: policy.proxy_protocol.as_ref().or(self.proxy_protocol),
            retry_budget: policy.retry_budget.as_ref().or(self.retry_budget),
        }
    }

    /// A port's own settings. What they cannot say is that of the rest.
    pub(crate) fn of_port(self, port: &'p PortTrafficPolicy) -> Self {
        Self {
            load_balancer: port.load_balancer.as_ref(),
            connection_pool: port.connection_pool.as_ref(),
            outlier_detection: port.outlier_detection.as_ref(),
            tls: port.tls.as_ref(),
            ..self
        }
    }

    /// What a policy says itself, but for its ports.
    pub(crate) fn alone(policy: &'p TrafficPolicy) -> Self {
        Self::default().replaced_by(policy)
    }
}
