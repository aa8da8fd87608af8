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
    /// What is known of a service's host.
    Service(Arc<str>),
    /// A destination.
    Cluster(Arc<str>),
    /// A resource that a proxy refused, or that we do not publish, by its kind and name.
    Resource(Arc<str>),
    /// An object that a proxy refused, among those that a resource was made of.
    Trial(ObjectRef),
    /// What a VirtualService is bound to.
    Bindings(ObjectRef),
    /// Whether a Gateway is for this gateway.
    Selector(ObjectRef),
    /// Whether its rules are reached.
    Reach(ServiceName),
}
