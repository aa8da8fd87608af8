//! The build and the resources of this process, with the metric names of Prometheus' own libraries.

use std::sync::atomic::AtomicU64;

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{Float, amount};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    commit: &'static str,
    envoy: &'static str,
}

/// The same as `sealgate --version`.
pub(super) fn register_build(registry: &mut Registry) {
    let labels = BuildLabels {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("SEALGATE_COMMIT"),
        envoy: env!("SEALGATE_ENVOY"),
    };
    registry.register("build", "What this agent was built from", Info::new(labels));
}

/// Left out if it cannot be read: the other metrics do not depend on it.
pub(super) fn register(registry: &mut Registry) {
    if let Ok(usage) = ProcessUsage::read() {
        usage.register(registry);
    }
}

#[derive(Debug, PartialEq)]
struct ProcessUsage {
    cpu_seconds: f64,
    resident_bytes: u64,
    /// Since 1970.
    start_seconds: f64,
    open_fds: usize,
    /// None if there is no limit.
    max_fds: Option<u64>,
}

impl ProcessUsage {
    fn read() -> ProcResult<Self> {
        let process = Process::myself()?;
        let (stat, ticks) = (process.stat()?, ticks_per_second() as f64);
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            resident_bytes: stat.rss * page_size(),
            start_seconds: boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
            open_fds: process.fd_count()?,
            max_fds: match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(limit) => Some(limit),
                LimitValue::Unlimited => None,
            },
        })
    }

    fn register(&self, registry: &mut Registry) {
        let cpu: Counter<f64, AtomicU64> = Counter::default();
        cpu.inc_by(self.cpu_seconds);
        registry.register("process_cpu_seconds", "User and system CPU time", cpu);
        let start = Float::default();
        start.set(self.start_seconds);
        registry.register(
            "process_start_time_seconds",
            "When the process started, since 1970",
            start,
        );
        let mut gauge = |name: &str, help: &str, value: i64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        gauge(
            "process_resident_memory_bytes",
            "Resident memory",
            amount(self.resident_bytes),
        );
        gauge("process_open_fds", "Open file descriptors", amount(self.open_fds));
        if let Some(limit) = self.max_fds {
            gauge(
                "process_max_fds",
                "Maximum number of open file descriptors",
                amount(limit),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_read_is_this_process() {
        let before = ProcessUsage::read().unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        assert!(
            (now - 3600.0..now + 2.0).contains(&before.start_seconds),
            "{before:?}"
        );
        assert!((1 << 20..1 << 34).contains(&before.resident_bytes), "{before:?}");
        let files: Vec<_> = (0..50).map(|_| File::open("/proc/self/stat").unwrap()).collect();
        let with_files = ProcessUsage::read().unwrap();
        // Other tests open and close files meanwhile.
        assert!(
            with_files.open_fds >= before.open_fds + files.len() / 2,
            "{with_files:?}"
        );
        let mut spent = 0_u64;
        while ProcessUsage::read().unwrap().cpu_seconds < before.cpu_seconds + 0.05 {
            spent = std::hint::black_box(spent.wrapping_add(1));
        }
    }
}
