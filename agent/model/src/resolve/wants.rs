//! Which credentials servers and destinations want, and who wants each.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdSet;

use super::index::Index;
use super::rank::ServerId;
use crate::CredentialName;
use crate::few::Few;

/// Who wants a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanter {
    /// A server of a port.
    Server(u16, ServerId),
    /// A destination, for TLS to it.
    Cluster(Arc<str>),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// The credentials of each.
    by_wanter: BTreeMap<Wanter, Few<CredentialName>>,
    /// Those that name a credential, or are served with another in its place.
    naming: Index<CredentialName, Wanter>,
    all: OrdSet<CredentialName>,
}

impl Wants {
    /// Sets the credentials that a server or destination wants.
    pub(super) fn set(&mut self, wanter: Wanter, wants: &Few<CredentialName>) {
        let before = self.by_wanter.remove(&wanter).unwrap_or_default();
        for name in before.iter().filter(|name| !wants.contains(name)) {
            self.naming.remove(name, &wanter);
            if !self.naming.has(name) {
                self.all.remove(name);
            }
        }
        for name in wants.iter().filter(|name| !before.contains(*name)) {
            self.naming.insert(name.clone(), wanter.clone());
            self.all.insert(name.clone());
        }
        if !wants.is_empty() {
            self.by_wanter.insert(wanter, wants.clone());
        }
    }

    /// Who wants a credential.
    pub(super) fn naming(&self, name: &CredentialName) -> impl Iterator<Item = &Wanter> {
        self.naming.of(name)
    }

    /// All wanted credentials.
    pub(super) fn all(&self) -> &OrdSet<CredentialName> {
        &self.all
    }

    #[cfg(test)]
    pub(super) fn forget_naming(&mut self) {
        self.naming = Index::default();
    }
}
