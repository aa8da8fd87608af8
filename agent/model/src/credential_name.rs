//! The names of what Secrets hold.

use std::fmt;
use std::sync::Arc;

/// What the name of a trust bundle ends with.
pub const BUNDLE_SUFFIX: &str = "-cacert";

/// What Istio lets the name of a Secret begin with, to say from where a proxy gets it. It changes nothing of which it is.
const SCHEMES: [&str; 2] = ["sds://", "kubernetes://"];

/// The name of a Secret that a Gateway writes as this.
#[must_use]
pub fn secret_name(written: &str) -> &str {
    let plain = SCHEMES.iter().find_map(|scheme| written.strip_prefix(scheme));
    plain.unwrap_or(written)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_no_part_of_a_name() {
        for written in ["a", "sds://a", "kubernetes://a"] {
            assert_eq!(secret_name(written), "a");
        }
        for other in ["sds:/a", "SDS://a", "kubernetes-gateway://ns/a"] {
            assert_eq!(secret_name(other), other);
        }
        assert_eq!(secret_name("sds://sds://a"), "sds://a");
    }
}
