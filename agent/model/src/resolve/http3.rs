//! Which servers speak HTTP/3, of those whose Gateway asks for it, and why the others do not: it runs over QUIC, where Envoy
//! can do less with TLS than over TCP.

use super::gateway::DeclaredServer;
use super::server_finding::of_server;
use super::world::World;
use crate::annotation::Certificates;
use crate::named;
use crate::protocol::ServerProtocol;
use crate::resolved::{ClientCertificate, Tls, TlsVersion};
use crate::{Code, CredentialName, Finding, Severity};

/// Why a server has no HTTP/3.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoHttp3 {
    /// Envoy supports certificates on demand only over TCP.
    OnDemand,
    /// Envoy does not expose client certificates over QUIC, so upstreams could not be told about them.
    ClientCertificate,
    /// QUIC requires TLS 1.3.
    TlsVersion,
    /// Envoy rejects such keys for QUIC; the place of the certificate.
    Key(usize, CredentialName),
}

/// Whether a server of HTTPS that is served with this has HTTP/3.
pub(super) fn is_served(server: &DeclaredServer, tls: &Tls, world: World<'_>) -> bool {
    is_asked_for(server) && obstacle(server, tls, world).is_none()
}

/// The finding about a server that should have HTTP/3, but does not.
pub(super) fn finding(server: &DeclaredServer, tls: &Tls, world: World<'_>) -> Option<Finding> {
    let obstacle = obstacle(server, tls, world).filter(|_| is_asked_for(server))?;
    let (field, reason) = match obstacle {
        NoHttp3::OnDemand => (
            server.named.field(Some(0)),
            "Envoy does not support certificates on demand (`sealgate.dev/certificates`) over QUIC"
                .to_owned(),
        ),
        NoHttp3::ClientCertificate => (
            "tls.mode".to_owned(),
            "Envoy does not tell upstreams about client certificates over QUIC".to_owned(),
        ),
        NoHttp3::TlsVersion => (
            "tls.maxProtocolVersion".to_owned(),
            "QUIC requires TLS 1.3".to_owned(),
        ),
        NoHttp3::Key(at, name) => (
            server.named.field(Some(at)),
            format!("Envoy does not support the Ed25519 key of {name} over QUIC"),
        ),
    };
    let hosts = named::first_few(&server.patterns());
    let message = format!("{reason}: no HTTP/3 for {hosts}, only HTTP/1.1 and HTTP/2");
    let code = Code::NoHttp3;
    Some(of_server(server, Severity::Warning, code, &field, message))
}

/// The servers that a Gateway's request for HTTP/3 applies to.
fn is_asked_for(server: &DeclaredServer) -> bool {
    server.http3 && server.protocol == ServerProtocol::Secure
}

fn obstacle(server: &DeclaredServer, tls: &Tls, world: World<'_>) -> Option<NoHttp3> {
    if tls.client != ClientCertificate::None {
        return Some(NoHttp3::ClientCertificate);
    }
    if server.certificates == Certificates::OnDemand {
        return Some(NoHttp3::OnDemand);
    }
    if tls.max_version < TlsVersion::V1_3 {
        return Some(NoHttp3::TlsVersion);
    }
    let unfit = |name: &CredentialName| (world.certificate)(name).is_some_and(|own| !own.quic);
    let mut all = tls.certificates.iter().enumerate();
    let (at, name) = all.find(|(_, name)| unfit(name))?;
    Some(NoHttp3::Key(at, name.clone()))
}
