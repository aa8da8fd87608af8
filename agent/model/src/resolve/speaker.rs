//! The sources of findings: each one replaces its own earlier findings.

use std::sync::Arc;

use super::rank::ServerId;
use super::reach::ServiceName;
use super::table::HostKey;
use crate::{CredentialName, ObjectRef};

/// A source of findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaker {
    /// An object by itself.
    Object(ObjectRef),
    /// The budgets of a namespace.
    Budgets(Arc<str>),
    /// A credential's Secret.
    Secret(CredentialName),
    /// A server among the others of its port.
    Server(u16, ServerId),
    /// A host's rules together.
    Host(HostKey),
    /// A service's host.
    Service(Arc<str>),
    /// A destination.
    Cluster(Arc<str>),
    /// A resource that a proxy rejected, or that we do not publish, by its kind and name.
    Resource(Arc<str>),
    /// An object that a proxy rejected, among those that a resource was made from.
    Trial(ObjectRef),
    /// The Gateways of a VirtualService.
    Bindings(ObjectRef),
    /// Whether a Gateway selects this gateway.
    Selector(ObjectRef),
    /// Whether a VirtualService's rules are reached.
    Reach(ServiceName),
}
