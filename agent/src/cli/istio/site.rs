//! Which of Istio's gateways is meant: the flags that all forms share, validated.

use std::collections::BTreeMap;
use std::fmt;

use sealgate_model::manifest::is_name;
use serde_json::{Value, json};

use super::error::IstioError;
use crate::args::IstioGatewayArgs;
use crate::config;

/// What objects have that are wholly ours: who wants to be rid of us may delete them, and nothing else.
pub(super) const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "sealgate");

/// See the module.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) namespace: String,
    pub(super) selector: BTreeMap<String, String>,
    pub(super) deployment: String,
    pub(super) version: IstioVersion,
}

/// Major and minor version of Istio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IstioVersion(u32, u32);

impl Site {
    /// # Errors
    /// The first flag that cannot be used.
    pub(super) fn new(args: &IstioGatewayArgs) -> Result<Self, IstioError> {
        Ok(Self {
            namespace: name("--namespace", &args.namespace)?,
            selector: labels("--selector", &args.selector)?,
            deployment: name("--gateway-deployment", &args.gateway_deployment)?,
            version: IstioVersion::read(&args.istio_version)?,
        })
    }

    /// Of an object of ours in the gateway's namespace.
    pub(super) fn metadata(&self, name: &str) -> Value {
        json!({ "name": name, "namespace": self.namespace, "labels": { LABEL.0: LABEL.1 } })
    }

    /// What objects of this gateway's alone are called: another gateway may have its own beside them.
    pub(super) fn own_name(&self) -> String {
        format!("sealgate-{}", self.deployment)
    }

    /// The labels as they are typed.
    pub(super) fn selector_text(&self) -> String {
        labels_text(&self.selector)
    }

    /// Our routes match by the filter state of a connection, and so may no earlier proxy have them.
    ///
    /// # Errors
    /// The version is earlier.
    pub(super) fn needs_routes(&self, form: &str) -> Result<(), IstioError> {
        if self.version >= IstioVersion::WITH_ROUTES {
            return Ok(());
        }
        let reason = format!(
            "`istio {form}` is for Istio {} and later",
            IstioVersion::WITH_ROUTES
        );
        Err(IstioError::flag(
            "--istio-version",
            &self.version.to_string(),
            reason,
        ))
    }
}

impl IstioVersion {
    /// The first that takes an SDS provider from the mesh configuration.
    pub(super) const WITH_PROVIDERS: Self = Self(1, 31);
    /// The first whose proxy was tried with our routes.
    const WITH_ROUTES: Self = Self(1, 31);

    /// `1.31`, `1.31.2`, `1.31-alpha.5`.
    fn read(text: &str) -> Result<Self, IstioError> {
        let refused = || IstioError::flag("--istio-version", text, "expected MAJOR.MINOR, such as 1.31");
        let plain = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = plain.trim_start_matches('v').split('.').map(str::parse);
        let mut number = || numbers.next().and_then(Result::ok);
        let version = number().zip(number()).ok_or_else(refused)?;
        if !numbers.all(|number| number.is_ok()) {
            return Err(refused());
        }
        Ok(Self(version.0, version.1))
    }
}

impl fmt::Display for IstioVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A name that an object can have.
pub(super) fn name(flag: &'static str, text: &str) -> Result<String, IstioError> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    let reason = "expected lower-case letters, digits, `-` and `.`";
    Err(IstioError::flag(flag, text, reason))
}

/// Labels, of which there is one at least: without any, every pod of the namespace would be meant.
pub(super) fn labels(flag: &'static str, text: &str) -> Result<BTreeMap<String, String>, IstioError> {
    let labels = config::labels(text).unwrap_or_default();
    if labels.is_empty() {
        return Err(IstioError::flag(
            flag,
            text,
            "expected KEY=VALUE,..., each KEY once",
        ));
    }
    Ok(labels)
}

/// Labels as they are typed.
pub(super) fn labels_text(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// The ports that the proxy binds for those of Gateways, as the gateway's Service has it.
pub(super) fn ports(text: &str) -> Result<BTreeMap<u16, u16>, IstioError> {
    let reason = "expected FROM=TO, ports from 1 to 65535, each FROM and each TO once";
    config::port_map(text).map_err(|_| IstioError::flag("--port-map", text, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers_and_whatever_else_istio_writes_behind_them() {
        for (text, version) in [
            ("1.31", IstioVersion(1, 31)),
            ("v1.30.2", IstioVersion(1, 30)),
            ("1.31.0-rc.0", IstioVersion(1, 31)),
            ("1.32-alpha.5fe1", IstioVersion(1, 32)),
        ] {
            assert_eq!(IstioVersion::read(text).unwrap(), version, "{text}");
        }
        for bad in ["", "1", "latest", "1.x", "1.31.x", "-1.31", "1..31"] {
            assert!(IstioVersion::read(bad).is_err(), "{bad}");
        }
        assert!(IstioVersion(1, 9) < IstioVersion::WITH_PROVIDERS);
    }

    #[test]
    fn no_labels_are_refused() {
        for bad in ["", ",", "istio", "=x", "a=1,a=2"] {
            assert!(labels("--selector", bad).is_err(), "{bad}");
        }
        assert_eq!(labels("--selector", "a=1, b=2").unwrap().len(), 2);
    }
}
