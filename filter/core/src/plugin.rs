//! The configuration of a filter without an agent (`pluginConfig` of Istio's WasmPlugin), as users write it:
//!
//! ```yaml
//! identity: {xfcc: sanitizeSet}     # the annotation sealgate.dev/identity, word for word
//! routing:
//!   unmatched: pass                 # or reject
//!   virtualServices: []             # VirtualServices as they are, or their specs
//! ```
//!
//! An empty configuration is also valid: upstreams are told who their clients are, and Envoy's own routes apply. The
//! filter rejects what `check` rejects, with the same messages.

mod destination;
mod manifest;
mod problem;
mod routes;

pub use self::problem::{PluginCode, PluginProblem, PluginReport};
pub use self::routes::{ROUTING_PORT, routes};

use serde_json::Value;

use crate::identity::{BadIdentity, CertHeader, IdentityConfig, Xfcc};
use crate::reading::{self, Misread};

const KEYS: [&str; 2] = ["identity", "routing"];
const ROUTING_KEYS: [&str; 2] = ["unmatched", "virtualServices"];
/// The default of `misdirected`. Without an agent, nothing is known about other hosts' TLS policies.
const MISDIRECTED: &str = "reject";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginConfig {
    /// What upstreams are told.
    pub identity: IdentityConfig,
    /// What happens to a request that no rule takes.
    pub unmatched: Unmatched,
    /// The input of [`routes`].
    virtual_services: Vec<Value>,
}

/// A request that no rule takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// Envoy's own routes decide.
    #[default]
    Pass,
    /// It is answered with 404.
    Reject,
}

impl PluginConfig {
    /// Reads it from JSON. It must not be used if the report rejects it.
    #[must_use]
    pub fn from_json(text: &[u8], report: &mut PluginReport) -> Self {
        if text.trim_ascii().is_empty() {
            return Self::default();
        }
        match serde_json::from_slice(text) {
            Ok(value) => Self::from_value(value, report),
            Err(error) => {
                report.misread(Misread::new("", error.to_string()));
                Self::default()
            }
        }
    }

    /// The same from a value that was read from JSON or YAML.
    #[must_use]
    pub fn from_value(mut value: Value, report: &mut PluginReport) -> Self {
        let mut config = Self::default();
        match reading::keys(Some(&value), "", &KEYS) {
            Ok(Some(keys)) => {
                config.identity = identity(keys.get("identity"), report);
                config.unmatched = unmatched(keys.get("routing"), report);
            }
            Ok(None) => {}
            Err(misread) => report.misread(misread),
        }
        config.virtual_services = services(&mut value, report);
        if config.unmatched == Unmatched::Reject && !config.has_routes() {
            let message = "there are no rules: every request is answered with 404";
            report.warn(PluginCode::NoRules, "routing.unmatched", message);
        }
        config
    }

    /// Whether there are rules at all.
    #[must_use]
    pub fn has_routes(&self) -> bool {
        !self.virtual_services.is_empty()
    }
}

/// Moved, not copied: they may be large.
fn services(config: &mut Value, report: &mut PluginReport) -> Vec<Value> {
    match config.pointer_mut("/routing/virtualServices").map(Value::take) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(services)) => services,
        Some(_) => {
            report.misread(Misread::new(manifest::PLACE, "a list is expected"));
            Vec::new()
        }
    }
}

fn identity(value: Option<&Value>, report: &mut PluginReport) -> IdentityConfig {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return IdentityConfig::default();
    };
    let config: IdentityConfig = match reading::read(value, "identity") {
        Ok(config) => config,
        Err(misread) => {
            report.misread(misread);
            return IdentityConfig::default();
        }
    };
    if let Err(BadIdentity { field, reason }) = config.check() {
        report.refuse(PluginCode::BadIdentity, format!("identity.{field}"), reason);
    }
    if value.get("misdirected").and_then(Value::as_str) == Some(MISDIRECTED) {
        let message =
            "without an agent the filter knows no server's TLS policy: no request is answered with 421";
        report.warn(PluginCode::NotCarriedOut, "identity.misdirected", message);
    }
    for (field, is_said, message) in [
        (
            "xfcc",
            config.xfcc == Xfcc::AppendForward,
            "Envoy's connection manager has to forward the header as it comes (ALWAYS_FORWARD_ONLY)",
        ),
        (
            "clientCert",
            config.client_cert == CertHeader::Chain,
            "the chain is there only if Envoy's connection manager writes it into XFCC (set_current_client_cert_details.chain)",
        ),
    ] {
        if is_said {
            report.warn(PluginCode::NeedsEnvoy, format!("identity.{field}"), message);
        }
    }
    config
}

fn unmatched(routing: Option<&Value>, report: &mut PluginReport) -> Unmatched {
    let keys = match reading::keys(routing, "routing", &ROUTING_KEYS) {
        Ok(Some(keys)) => keys,
        Ok(None) => return Unmatched::default(),
        Err(misread) => {
            report.misread(misread);
            return Unmatched::default();
        }
    };
    match keys.get("unmatched") {
        None | Some(Value::Null) => Unmatched::default(),
        // The second word of each pair is from the first such filter.
        Some(Value::String(word)) if matches!(word.as_str(), "pass" | "continue") => Unmatched::Pass,
        Some(Value::String(word)) if matches!(word.as_str(), "reject" | "notFound") => Unmatched::Reject,
        Some(other) => {
            let reason = format!("{other}: one of pass and reject");
            report.misread(Misread::new("routing.unmatched", reason));
            Unmatched::default()
        }
    }
}

#[cfg(test)]
mod tests;
