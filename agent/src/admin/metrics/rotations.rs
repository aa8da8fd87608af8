//! How long proxies take to confirm what was published.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

use super::{CredentialLabels, Float};
use crate::admin::status::{RotationsStatus, Status};

pub(super) fn register(registry: &mut Registry, status: &Status) {
    let last = Family::<CredentialLabels, Float>::default();
    for credential in &status.credentials {
        if let Some(ms) = credential.rotation_ms {
            let labels = CredentialLabels {
                name: credential.name.clone(),
                kind: credential.kind.clone(),
            };
            last.get_or_create(&labels).set(ms / 1000.0);
        }
    }
    registry.register(
        "credential_rotation_seconds",
        "Duration of a certificate's last rotation on its slowest proxy",
        last,
    );
    registry.register(
        "rotation_seconds",
        "From publication to each proxy's confirmation",
        RotationHistogram(status.rotations.clone()),
    );
}

/// The library's histogram counts by itself; this one shows the status's counts.
#[derive(Debug)]
struct RotationHistogram(RotationsStatus);

impl TypedMetric for RotationHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for RotationHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let Self(times) = self;
        let buckets = times.buckets.iter();
        let buckets = buckets.map(|own| (own.at_most_seconds.unwrap_or(f64::INFINITY), own.count));
        let buckets: Vec<_> = buckets.collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(times.sum_seconds, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
