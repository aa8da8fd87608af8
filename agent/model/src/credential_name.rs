//! The names of what Secrets hold.

use std::fmt;
use std::sync::Arc;

/// What the name of a trust bundle ends with.
pub const BUNDLE_SUFFIX: &str = "-cacert";

/// Names a credential: `namespace/name`, of a trust bundle `namespace/name-cacert`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialName {
    /// The Secret's namespace.
    pub namespace: Arc<str>,
    /// The Secret's name, of a bundle with [`BUNDLE_SUFFIX`].
    pub name: Arc<str>,
}

impl CredentialName {
    /// The key pair of the Secret `namespace/name`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The trust bundle that belongs to this key pair.
    #[must_use]
    pub fn bundle(&self) -> Self {
        Self::new(
            Arc::clone(&self.namespace),
            format!("{}{BUNDLE_SUFFIX}", self.name),
        )
    }

    /// Whether a trust bundle has this name.
    #[must_use]
    pub fn is_bundle(&self) -> bool {
        self.name.ends_with(BUNDLE_SUFFIX)
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
