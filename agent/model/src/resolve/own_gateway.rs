//! The gateway that the agent serves: which Gateways it serves, and what it does with their ports.

use std::collections::BTreeMap;

use sealgate_core::config::GatewaySpec;

use super::addresses::AddressPolicy;
use crate::budget::{BudgetPolicy, Budgets};
use crate::locality::Locality;
use crate::tenancy::Tenants;
use crate::{Code, Finding, Kind, Object, ObjectRef, Severity};

/// Which gateway is served.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its namespace, where `credentialName` is looked up.
    pub namespace: String,
    /// Its labels, which a Gateway's `selector` must match.
    pub labels: BTreeMap<String, String>,
    /// The ports that Envoy binds in place of a Gateway's.
    pub port_map: BTreeMap<u16, u16>,
    /// From this many servers with the same TLS policy on, certificates are served on demand; 0 for never.
    pub on_demand_from: usize,
    /// What namespaces may do.
    pub tenants: Tenants,
    /// How much of shared resources namespaces may use.
    pub budgets: Budgets,
    /// Where requests may be sent.
    pub addresses: AddressPolicy,
    /// Where it is; empty if that is not known.
    pub locality: Locality,
}

/// What a port is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reserved {
    /// This port of Gateways, which is mapped to it.
    Mapped(u16),
    /// An admin interface, Envoy's or the agent's, on this port.
    Admin(u16),
}

impl Gateway {
    /// Budgets, and which namespaces have them.
    #[must_use]
    pub fn budgets(&self) -> BudgetPolicy {
        BudgetPolicy {
            tenants: self.tenants.clone(),
            budgets: self.budgets.clone(),
        }
    }

    /// Whether a Gateway's selector matches it.
    #[must_use]
    pub fn is_selected(&self, spec: &GatewaySpec) -> bool {
        let mut selector = spec.selector.iter();
        selector.all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// The finding about a Gateway that does not select this gateway, with the label that differs.
    pub(super) fn unselected(&self, object: Option<&Object>) -> Option<Finding> {
        let Some(Object::Gateway(meta, spec)) = object else {
            return None;
        };
        let mut selector = spec.selector.iter();
        let (key, value) = selector.find(|(key, value)| self.labels.get(*key) != Some(*value))?;
        let own = match self.labels.get(key) {
            Some(own) => format!("the gateway has {key}={own}"),
            None => format!("the gateway has no label {key}"),
        };
        Some(Finding {
            severity: Severity::Info,
            code: Code::NotSelected,
            object: ObjectRef::new(Kind::Gateway, &*meta.namespace, &*meta.name),
            field: Some(format!("spec.selector[{key}]")),
            message: format!(
                "this gateway does not serve it: the selector wants {key}={value}, and {own} (--gateway-labels)"
            ),
        })
    }

    /// Why no server can have a port: Envoy would have to bind a port that is used for something else.
    pub(super) fn reserved(&self, port: u16) -> Option<Reserved> {
        let bound = self.bind(port);
        let mut others = self.port_map.iter().filter(|(from, _)| **from != port);
        if let Some((from, _)) = others.find(|(_, to)| **to == bound) {
            return Some(Reserved::Mapped(*from));
        }
        let is_admin = self.addresses.barred_ports.contains(&bound);
        is_admin.then_some(Reserved::Admin(bound))
    }

    /// The port that Envoy binds for a Gateway's.
    pub(super) fn bind(&self, port: u16) -> u16 {
        self.port_map.get(&port).copied().unwrap_or(port)
    }
}
