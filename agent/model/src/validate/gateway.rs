//! Gateways: their servers one by one.

use sealgate_core::config::{GatewaySpec, Server};

use super::{is_host, is_namespaced, is_port, split_host, tls};
use crate::protocol::ServerProtocol;
use crate::report::ObjectReport;
use crate::{Code, Severity};

pub(super) fn check(spec: &GatewaySpec, report: &mut ObjectReport) {
    if spec.servers.is_empty() {
        report.add(
            Severity::Error,
            Code::NoServers,
            "spec.servers".to_owned(),
            "there is none",
        );
    }
    for (at, own) in spec.servers.iter().enumerate() {
        server(own, &format!("spec.servers[{at}]"), report);
    }
}

fn server(server: &Server, field: &str, report: &mut ObjectReport) {
    let mut refuse = |code, place: &str, message: String| {
        report.add(Severity::Error, code, format!("{field}.{place}"), message);
    };
    if !is_port(server.port.number) {
        refuse(
            Code::BadPort,
            "port.number",
            format!("{} is not from 1 to 65535", server.port.number),
        );
    }
    if server.hosts.is_empty() {
        refuse(Code::NoHosts, "hosts", "there is none".to_owned());
    }
    for (at, name) in server.hosts.iter().enumerate() {
        if !is_namespaced(name) {
            refuse(
                Code::BadHost,
                &format!("hosts[{at}]"),
                format!("{name:?}: the part before the slash must be a namespace, `.` or `*`"),
            );
        }
        let (_, name) = split_host(name);
        if !is_host(&name) {
            refuse(
                Code::BadHost,
                &format!("hosts[{at}]"),
                format!("{name:?} is not a host name"),
            );
        }
    }
    let protocol = ServerProtocol::of(server);
    if protocol.is_none() {
        refuse(
            Code::NotCarriedOut,
            "port.protocol",
            format!(
                "{:?}: expected HTTP, HTTP2, GRPC, HTTPS, TLS or TCP",
                server.port.protocol
            ),
        );
    }
    for (place, given) in [
        ("bind", server.bind.is_some()),
        ("defaultEndpoint", server.default_endpoint.is_some()),
        ("port.targetPort", server.port.target_port.is_some()),
    ] {
        report.not_carried_out(format!("{field}.{place}"), given);
    }
    match protocol {
        Some(ServerProtocol::Secure | ServerProtocol::SecureTcp) => tls::secure(server, field, report),
        Some(ServerProtocol::Passthrough) => tls::passthrough(server, field, report),
        Some(ServerProtocol::Plain | ServerProtocol::Tcp) => tls::plain(server, field, report),
        None => {}
    }
}
