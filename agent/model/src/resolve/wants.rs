//! Which credentials servers want, and who wants each.

use std::collections::BTreeMap;

use imbl::OrdSet;

use super::index::Index;
use super::rank::ServerId;
use crate::CredentialName;
use crate::few::Few;

/// A server of a port.
type PortServer = (u16, ServerId);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// The credentials of each server.
    of_server: BTreeMap<PortServer, Few<CredentialName>>,
    /// Servers that name a credential, or are served with one in its place.
    naming: Index<CredentialName, PortServer>,
    all: OrdSet<CredentialName>,
}

impl Wants {
    /// The credentials that a server wants from now on.
    pub(super) fn set(&mut self, server: PortServer, wants: &Few<CredentialName>) {
        let before = self.of_server.remove(&server).unwrap_or_default();
        for name in before.iter().filter(|name| !wants.contains(name)) {
            self.naming.remove(name, &server);
            if !self.naming.has(name) {
                self.all.remove(name);
            }
        }
        for name in wants.iter().filter(|name| !before.contains(*name)) {
            self.naming.insert(name.clone(), server.clone());
            self.all.insert(name.clone());
        }
        if !wants.is_empty() {
            self.of_server.insert(server, wants.clone());
        }
    }

    /// The servers that want a credential.
    pub(super) fn naming(&self, name: &CredentialName) -> impl Iterator<Item = &PortServer> {
        self.naming.of(name)
    }

    /// Every credential that is wanted.
    pub(super) fn all(&self) -> &OrdSet<CredentialName> {
        &self.all
    }

    #[cfg(test)]
    pub(super) fn forget_naming(&mut self) {
        self.naming = Index::default();
    }
}
