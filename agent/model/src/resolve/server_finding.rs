//! Findings about a server, at the place where it is written.

use super::gateway::DeclaredServer;
use crate::{Code, Finding, Severity};

/// A finding about one field of a server.
pub(super) fn of_server(
    server: &DeclaredServer,
    severity: Severity,
    code: Code,
    field: &str,
    message: String,
) -> Finding {
    Finding {
        severity,
        code,
        object: server.id.gateway.gateway(),
        field: Some(format!("spec.servers[{}].{field}", server.id.at)),
        message,
    }
}
