//! What the user's Gateways say of connections: which port and server name they come in by, and what the handshake has
//! checked. Envoy does not know the latter of a session that is resumed.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::identity::{CertHeader, IdentityConfig, Xfcc};
use sealgate_model::annotation;
use sealgate_model::resolve::gateway::{DeclaredGateway, DeclaredServer};
use sealgate_model::resolved::FilterChain;
use sealgate_model::{Meta, ObjectRef};
use serde_json::Value;

use super::error::{IstioError, ObjectRefusal};
use super::input::UserGateway;
use super::site::Site;

/// A handshake there succeeds with any certificate, and a resumed session does not tell.
const UNCHECKED: &str = "true: an unchecked certificate would be reported as verified";

/// A filter chain of Istio's.
#[derive(Debug)]
pub(super) struct Chain {
    /// The Gateway, and the place of the server in it.
    gateway: ObjectRef,
    at: usize,
    /// As the Gateway numbers it.
    pub(super) port: u16,
    /// Its first server name; none takes what no other takes.
    pub(super) sni: Option<Arc<str>>,
    /// As our agent would have it.
    pub(super) own: FilterChain,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// Those with TLS; those without a server name come first.
    pub(super) secure: Vec<Chain>,
    /// The numbers of all ports.
    pub(super) ports: BTreeSet<u16>,
    /// What identity headers begin with, beside the usual.
    pub(super) prefixes: BTreeSet<String>,
}

impl Chains {
    /// Those of the Gateways, which our agent knows by other names: `name` says by which.
    ///
    /// # Errors
    /// What our agent would refuse them for, and what cannot be had in a listener of Istio's.
    pub(super) fn of(
        gateways: &[UserGateway],
        site: &Site,
        name: impl Fn(&Meta) -> String,
    ) -> Result<Self, IstioError> {
        let refused: Vec<ObjectRefusal> = gateways.iter().flat_map(refusals).collect();
        if !refused.is_empty() {
            return Err(IstioError::Refused(refused));
        }
        let mut chains = Self::default();
        let mut refused = Vec::new();
        for gateway in gateways {
            let meta = Meta {
                name: name(&gateway.own.meta).into(),
                ..gateway.own.meta.clone()
            };
            let declared = DeclaredGateway::new(&meta, &gateway.spec, &site.namespace);
            chains.prefixes.extend(declared.prefix.clone());
            // Connections as a whole are none of the filter's business.
            let servers = declared.servers.values();
            for server in servers.filter(|server| server.protocol.is_http()) {
                chains.ports.insert(server.port);
                let Some(chain) = Chain::new(&gateway.own.object, server) else {
                    continue;
                };
                if chains.secure.iter().any(|other| other.is_taken_for(&chain)) {
                    let host = chain.sni.as_deref().unwrap_or("*");
                    let reason = format!("{host:?} at port {} also belongs to another server", chain.port);
                    refused.push(chain.refusal(reason));
                }
                chains.secure.push(chain);
            }
        }
        if !refused.is_empty() {
            return Err(IstioError::Refused(refused));
        }
        chains.secure.sort_by_key(|chain| chain.sni.is_some());
        Ok(chains)
    }
}

impl Chain {
    fn new(gateway: &ObjectRef, server: &Arc<DeclaredServer>) -> Option<Self> {
        let own = FilterChain::secure(server, server.tls.as_ref()?);
        Some(Self {
            gateway: gateway.clone(),
            at: server.id.at,
            port: server.port,
            sni: own.server_names.first().cloned(),
            own,
        })
    }

    /// Whether it asks for certificates, and Istio's patches cannot tell it from chains of Gateways that are not given:
    /// connections that have shown none would be taken for its own.
    pub(super) fn is_nameless(&self) -> bool {
        self.sni.is_none() && self.own.asks()
    }

    pub(super) fn refusal(&self, reason: impl Into<String>) -> ObjectRefusal {
        ObjectRefusal {
            object: self.gateway.clone(),
            field: format!("spec.servers[{}].hosts", self.at),
            reason: reason.into(),
        }
    }

    /// Whether Istio's patches could not tell them apart.
    fn is_taken_for(&self, other: &Self) -> bool {
        self.port == other.port && self.sni == other.sni
    }
}

fn refusals(gateway: &UserGateway) -> Vec<ObjectRefusal> {
    let mut refused = gateway.own.refusals();
    let servers = gateway
        .own
        .value
        .pointer("/spec/servers")
        .and_then(Value::as_array);
    for (at, server) in servers.into_iter().flatten().enumerate() {
        if server.pointer("/tls/insecureSkipVerify") == Some(&Value::Bool(true)) {
            let field = format!("spec.servers[{at}].tls.insecureSkipVerify");
            refused.push(gateway.own.refusal(&field, UNCHECKED));
        }
    }
    if let Some(Ok(identity)) = annotation::identity(&gateway.own.meta)
        && let Err((field, reason)) = carried_out(&identity)
    {
        let field = format!("metadata.annotations[{}].{field}", annotation::IDENTITY);
        refused.push(gateway.own.refusal(&field, reason));
    }
    refused
}

/// Whether identity headers can be had in a listener of Istio's, which is rid of every `x-forwarded-client-cert`.
///
/// # Errors
/// The key that cannot, and why.
pub(super) fn carried_out(identity: &IdentityConfig) -> Result<(), (&'static str, &'static str)> {
    if identity.xfcc == Xfcc::AppendForward {
        return Err((
            "xfcc",
            "appendForward: Istio's listeners always remove the client's own header",
        ));
    }
    if identity.client_cert == CertHeader::Chain {
        return Err((
            "clientCert",
            "chain: Istio's listeners provide only the leaf certificate",
        ));
    }
    Ok(())
}
