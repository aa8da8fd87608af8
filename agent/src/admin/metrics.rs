//! The status in the Prometheus text format, and metrics of this process. Each scrape reads the status, so that metrics
//! cannot disagree with `/api/status`. `docs/reference/metrics.md` explains each metric.

mod credentials;
mod objects;
mod process;
mod proxies;
mod rotations;
mod source;

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::status::Status;

type Float = Gauge<f64, AtomicU64>;

/// Gauges that are 1 for what is true.
type Flags<Labels> = Family<Labels, Gauge>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabels {
    name: String,
    kind: String,
}

pub(super) fn render(status: &Status) -> String {
    let mut all = Registry::default();
    process::register(&mut all);
    let registry = all.sub_registry_with_prefix("sealgate");
    process::register_build(registry);
    source::register(registry, status);
    credentials::register(registry, &status.credentials);
    rotations::register(registry, status);
    proxies::register(registry, status);
    objects::register(registry, status);
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &all) {
        text.clear();
        // Writing to a string cannot fail.
        let _ = write!(text, "# {error}\n# EOF\n");
    }
    text
}

/// A count in the type of this library's gauges.
fn amount(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
