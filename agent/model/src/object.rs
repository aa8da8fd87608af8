//! The Kubernetes objects that the agent reads, as both sources hand them over.
//!
//! `Gateway` and `VirtualService` specs are the core's types; `Service`, `Endpoints` and `EndpointSlice` are
//! `k8s-openapi`'s; a Secret has its own type here because it holds a private key (see [`SecretObject`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use sealgate_core::config::{
    DestinationRuleSpec, GatewaySpec, ServiceEntrySpec, VirtualServiceSpec, WorkloadEntry,
};
use zeroize::Zeroizing;

use crate::Kind;

/// Names one object; prints as `Secret istio-system/a`, the form of every message and finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// What it is.
    pub kind: Kind,
    /// Its namespace; empty for a [`Kind::File`].
    pub namespace: Arc<str>,
    /// Its name; for a [`Kind::File`] the path below the source's root.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// A reference to `namespace/name`.
    pub fn new(kind: Kind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// A reference to a file of a directory source.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self::new(Kind::File, "", path)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind.as_str(), self.name)
        } else {
            write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
        }
    }
}

/// The metadata that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// `metadata.namespace`, never empty.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.creationTimestamp` in seconds since 1970; a directory source has none.
    pub created: Option<i64>,
}

/// A Kubernetes Secret. Holds private keys: `Debug` shows the names of the keys alone, and the values are
/// zeroized on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretObject {
    /// Its metadata.
    pub meta: Meta,
    /// `type`, `Opaque` where none is given.
    pub type_: String,
    /// `data` (decoded) overlaid with `stringData`.
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for SecretObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretObject")
            .field("meta", &self.meta)
            .field("type_", &self.type_)
            .field("keys", &self.data.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// One object as a source read it. What it holds is shared, and never changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A Kubernetes Secret.
    Secret(SecretObject),
    /// An Istio Gateway.
    Gateway(Arc<Meta>, Arc<GatewaySpec>),
    /// An Istio VirtualService.
    VirtualService(Arc<Meta>, Arc<VirtualServiceSpec>),
    /// An Istio DestinationRule.
    DestinationRule(Arc<Meta>, Arc<DestinationRuleSpec>),
    /// An Istio ServiceEntry.
    ServiceEntry(Arc<Meta>, Arc<ServiceEntrySpec>),
    /// An Istio WorkloadEntry.
    WorkloadEntry(Arc<Meta>, Arc<WorkloadEntry>),
    /// A Kubernetes Service.
    Service(Arc<Meta>, Arc<Service>),
    /// A Kubernetes EndpointSlice.
    EndpointSlice(Arc<Meta>, Arc<EndpointSlice>),
    /// Kubernetes Endpoints.
    Endpoints(Arc<Meta>, Arc<Endpoints>),
    /// A Kubernetes Pod: its name and labels, and nothing else.
    Pod(Arc<Meta>),
}

impl Object {
    /// Names this object.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        let meta = self.meta();
        ObjectRef::new(self.kind(), Arc::clone(&meta.namespace), Arc::clone(&meta.name))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Secret(_) => Kind::Secret,
            Self::Gateway(..) => Kind::Gateway,
            Self::VirtualService(..) => Kind::VirtualService,
            Self::DestinationRule(..) => Kind::DestinationRule,
            Self::ServiceEntry(..) => Kind::ServiceEntry,
            Self::WorkloadEntry(..) => Kind::WorkloadEntry,
            Self::Service(..) => Kind::Service,
            Self::EndpointSlice(..) => Kind::EndpointSlice,
            Self::Endpoints(..) => Kind::Endpoints,
            Self::Pod(_) => Kind::Pod,
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        match self {
            Self::Secret(secret) => &secret.meta,
            Self::Gateway(meta, _)
            | Self::VirtualService(meta, _)
            | Self::DestinationRule(meta, _)
            | Self::ServiceEntry(meta, _)
            | Self::WorkloadEntry(meta, _)
            | Self::Service(meta, _)
            | Self::EndpointSlice(meta, _)
            | Self::Endpoints(meta, _)
            | Self::Pod(meta) => meta,
        }
    }
}
