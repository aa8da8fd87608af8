//! The agent's flags that affect what is served, as data: an agent sends its own to the page.

use std::collections::{BTreeMap, BTreeSet};

use sealgate_core::arrival::{EscapedSlashes, PathNormalization, PathPolicy};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::budget::{BudgetError, Budgets};
use crate::locality::{Locality, LocalityError};
use crate::manifest::is_name;
use crate::resolve::{AddressPolicy, Gateway};
use crate::tenancy::{PolicyError, Tenancy, TenancyPolicy, Tenants};

/// Options that cannot be used.
#[derive(Debug, Error)]
pub enum OptionsError {
    /// Not a namespace.
    #[error("namespace {0:?}: expected lower-case letters, digits and `-`")]
    Namespace(String),
    /// Not a mode.
    #[error("tenancy {0:?}: expected single or namespaces")]
    Tenancy(String),
    /// Not a value of these flags.
    #[error("{0:?} is not a value of --path-normalization or --escaped-slashes")]
    Paths(String),
    /// The policy.
    #[error("tenancy policy: {0}")]
    Policy(#[from] PolicyError),
    /// The budgets.
    #[error("budgets: {0}")]
    Budgets(#[from] BudgetError),
    /// Where the gateway is.
    #[error("locality: {0}")]
    Locality(#[from] LocalityError),
}

/// See the module. The defaults are those of `sealgate check --dir`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GatewayOptions {
    /// `--namespace`.
    pub namespace: String,
    /// `--gateway-labels`.
    pub labels: BTreeMap<String, String>,
    /// `--locality`.
    pub locality: String,
    /// `--port-map`.
    pub port_map: BTreeMap<u16, u16>,
    /// `--on-demand-from`.
    pub on_demand_from: usize,
    /// `single` or `namespaces`.
    pub tenancy: String,
    /// `--root-namespace`.
    pub root_namespace: String,
    /// The text of `--tenancy-policy`.
    pub tenancy_policy: String,
    /// `--budgets`.
    pub budgets: String,
    /// `--allow-local-upstreams`.
    pub local_upstreams: bool,
    /// Ports of admin interfaces.
    pub barred_ports: BTreeSet<u16>,
    /// `--path-normalization`.
    pub path_normalization: String,
    /// `--escaped-slashes`; none if it is not given.
    pub escaped_slashes: Option<String>,
}

/// The default port of Envoy's admin interface.
const ENVOY_ADMIN: u16 = 15000;

const FORMS: [(&str, PathNormalization); 4] = [
    ("none", PathNormalization::None),
    ("base", PathNormalization::Base),
    ("merge-slashes", PathNormalization::MergeSlashes),
    (
        "decode-and-merge-slashes",
        PathNormalization::DecodeAndMergeSlashes,
    ),
];
const SLASHES: [(&str, EscapedSlashes); 4] = [
    ("keep", EscapedSlashes::Kept),
    ("reject", EscapedSlashes::Refused),
    ("redirect", EscapedSlashes::Redirected),
    ("unescape", EscapedSlashes::Decoded),
];
const MODES: [(&str, Tenancy); 2] = [("single", Tenancy::Single), ("namespaces", Tenancy::Namespaces)];

fn word<T: PartialEq + Copy>(all: &[(&str, T)], value: T) -> String {
    let mut all = all.iter();
    all.find(|row| row.1 == value).map_or("", |row| row.0).to_owned()
}

fn value<T: PartialEq + Copy>(all: &[(&str, T)], word: &str) -> Option<T> {
    all.iter().find(|row| row.0 == word).map(|row| row.1)
}

impl GatewayOptions {
    /// The options of a gateway.
    #[must_use]
    pub fn new(gateway: &Gateway, paths: PathPolicy) -> Self {
        Self {
            namespace: gateway.namespace.clone(),
            labels: gateway.labels.clone(),
            locality: gateway.locality.to_string(),
            port_map: gateway.port_map.clone(),
            on_demand_from: gateway.on_demand_from,
            tenancy: word(&MODES, gateway.tenants.tenancy),
            root_namespace: gateway.tenants.root.clone(),
            tenancy_policy: gateway.tenants.policy.text().to_owned(),
            budgets: gateway.budgets.to_string(),
            local_upstreams: gateway.addresses.local,
            barred_ports: gateway.addresses.barred_ports.clone(),
            path_normalization: word(&FORMS, paths.form),
            escaped_slashes: paths.escaped.map(|escaped| word(&SLASHES, escaped)),
        }
    }

    /// The gateway.
    ///
    /// # Errors
    /// An option is invalid.
    pub fn gateway(&self) -> Result<Gateway, OptionsError> {
        for name in [&self.namespace, &self.root_namespace] {
            if !is_name(name) {
                return Err(OptionsError::Namespace(name.clone()));
            }
        }
        self.check_paths()?;
        let policy = match self.tenancy_policy.as_str() {
            "" => TenancyPolicy::default(),
            text => TenancyPolicy::read(text)?,
        };
        Ok(Gateway {
            namespace: self.namespace.clone(),
            labels: self.labels.clone(),
            port_map: self.port_map.clone(),
            on_demand_from: self.on_demand_from,
            tenants: Tenants {
                tenancy: value(&MODES, &self.tenancy)
                    .ok_or_else(|| OptionsError::Tenancy(self.tenancy.clone()))?,
                gateway: self.namespace.clone(),
                root: self.root_namespace.clone(),
                policy,
            },
            budgets: self.budgets.parse::<Budgets>()?,
            addresses: AddressPolicy {
                local: self.local_upstreams,
                barred_ports: self.barred_ports.clone(),
            },
            locality: Locality::of_gateway(&self.locality)?,
        })
    }

    fn check_paths(&self) -> Result<(), OptionsError> {
        let form = &self.path_normalization;
        if value(&FORMS, form).is_none() {
            return Err(OptionsError::Paths(form.clone()));
        }
        match &self.escaped_slashes {
            Some(word) if value(&SLASHES, word).is_none() => Err(OptionsError::Paths(word.clone())),
            _ => Ok(()),
        }
    }

    /// The path policy of servers that do not set one.
    #[must_use]
    pub fn paths(&self) -> PathPolicy {
        PathPolicy {
            form: value(&FORMS, &self.path_normalization).unwrap_or_default(),
            escaped: self
                .escaped_slashes
                .as_deref()
                .and_then(|word| value(&SLASHES, word)),
        }
    }
}

impl Default for GatewayOptions {
    fn default() -> Self {
        let namespace = "istio-system".to_owned();
        let labels = BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]);
        Self {
            labels,
            locality: String::new(),
            port_map: BTreeMap::new(),
            on_demand_from: 0,
            tenancy: word(&MODES, Tenancy::Single),
            root_namespace: namespace.clone(),
            namespace,
            tenancy_policy: String::new(),
            budgets: String::new(),
            local_upstreams: true,
            barred_ports: BTreeSet::from([ENVOY_ADMIN]),
            path_normalization: word(&FORMS, PathNormalization::default()),
            escaped_slashes: None,
        }
    }
}
