//! A server with TLS among those that may share its filter chain.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::CredentialName;
use crate::annotation::Certificates;
use crate::resolved::{FilterChain, Meaning, Tls};

/// A server with TLS that is carried out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// The filter chain that it has if it shares none; without routes, if it passes connections on as a whole.
    pub(super) chain: Arc<FilterChain>,
    /// Its Gateway's setting for how certificates get to the proxy.
    pub(super) certificates: Certificates,
}

impl Member {
    /// Its group, if it may share a chain. A server with HTTP/3 may not: servers that join could disable HTTP/3.
    pub(super) fn group(&self) -> Option<Arc<str>> {
        let is_sharable = self.chain.is_http() && !self.chain.http3;
        let tls = self.chain.tls.as_ref().filter(|_| is_sharable)?;
        let may = tls.certificates.len() == 1 && self.certificates != Certificates::Eager;
        may.then(|| group(tls, &self.chain.meaning))
    }

    pub(super) fn certificate(&self) -> Option<&CredentialName> {
        self.chain.tls.as_ref()?.certificates.first()
    }
}

/// A name for what the servers of one chain must have in common.
fn group(tls: &Tls, meaning: &Meaning) -> Arc<str> {
    let policy = tls.policy();
    if *meaning == Meaning::default() {
        return policy;
    }
    let digest = Sha256::digest(format!("{meaning:?}"));
    let bytes = digest.iter().take(4);
    let own: String = bytes.map(|byte| format!("{byte:02x}")).collect();
    format!("{policy}-{own}").into()
}
