//! The kinds of resources.

/// The kinds of resources, in the order in which a proxy must get them: what is referred to comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypeUrl {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoint,
    /// SDS.
    Secret,
    /// ECDS: the filter's configuration.
    ExtensionConfig,
    /// LDS.
    Listener,
}

impl TypeUrl {
    /// All, in order.
    pub const ALL: [Self; 5] = [
        Self::Cluster,
        Self::Endpoint,
        Self::Secret,
        Self::ExtensionConfig,
        Self::Listener,
    ];

    /// As it is on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::ExtensionConfig => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
        }
    }

    /// The kind of this URL, if it is one that is served.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == url)
    }

    /// A short name for people.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Endpoint => "ClusterLoadAssignment",
            Self::Secret => "Secret",
            Self::ExtensionConfig => "TypedExtensionConfig",
            Self::Listener => "Listener",
        }
    }

    /// Whether a proxy may go on naming a resource for a while after it is gone.
    pub(super) fn lingers(self) -> bool {
        matches!(self, Self::Cluster | Self::Endpoint)
    }
}
