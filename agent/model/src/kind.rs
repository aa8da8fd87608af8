//! The kinds of objects; `kinds.rs` says what there is to know of each.

/// What an object is; ordered as the agent lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A Kubernetes Secret.
    Secret,
    /// An Istio Gateway.
    Gateway,
    /// An Istio VirtualService.
    VirtualService,
    /// An Istio DestinationRule.
    DestinationRule,
    /// An Istio ServiceEntry.
    ServiceEntry,
    /// An Istio WorkloadEntry.
    WorkloadEntry,
    /// A Kubernetes Service.
    Service,
    /// A Kubernetes EndpointSlice.
    EndpointSlice,
    /// Kubernetes Endpoints.
    Endpoints,
    /// A Kubernetes Pod, of which only the metadata is read.
    Pod,
    /// A file of a directory source: names what could not be read as any object. The last.
    File,
}

impl Kind {
    /// The kind's name as manifests spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Gateway => "Gateway",
            Self::VirtualService => "VirtualService",
            Self::DestinationRule => "DestinationRule",
            Self::ServiceEntry => "ServiceEntry",
            Self::WorkloadEntry => "WorkloadEntry",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Endpoints => "Endpoints",
            Self::Pod => "Pod",
            Self::File => "File",
        }
    }
}
