//! Whose a resource is that a proxy refused, or would: the objects that it was made of.

use sealgate_model::resolve::Resolver;
use sealgate_model::{Code, Finding, Kind, ObjectRef, Severity};

use crate::snapshot::{ResourceKey, TypeUrl};
use crate::translate::{self, Made};
use crate::trial::Conviction;
use crate::valid::Violation;

/// What is to be said of each of them if a proxy refused it.
pub(crate) fn refused(resolver: &Resolver, resource: &ResourceKey, reason: &str) -> Vec<Finding> {
    let (kind, name) = resource;
    let message = format!("a proxy rejects {} {name}: {reason}", kind.short());
    findings(resolver, resource, Code::RefusedByProxy, &message)
}

/// What is to be said of each of them if it is not published.
pub(crate) fn withheld(resolver: &Resolver, resource: &ResourceKey, violation: &Violation) -> Vec<Finding> {
    let (kind, name) = resource;
    let message = format!("Envoy would reject {} {name}: {violation}", kind.short());
    findings(resolver, resource, Code::InvalidForProxy, &message)
}

fn findings(resolver: &Resolver, (kind, name): &ResourceKey, code: Code, message: &str) -> Vec<Finding> {
    let finding = |object| Finding {
        severity: Severity::Error,
        code,
        object,
        field: None,
        message: message.to_owned(),
    };
    objects(resolver, *kind, name).into_iter().map(finding).collect()
}

/// What is to be said of an object with which a proxy refuses a resource that others are part of.
pub(crate) fn verdict(object: &ObjectRef, verdict: &Conviction) -> Finding {
    let ((kind, name), reason) = (&verdict.resource, &verdict.reason);
    let kind = kind.short();
    Finding {
        severity: Severity::Error,
        code: Code::RefusedByProxy,
        object: object.clone(),
        field: None,
        message: format!(
            "with it, a proxy rejects {kind} {name}: {reason}; its last good version stays in use"
        ),
    }
}

fn objects(resolver: &Resolver, kind: TypeUrl, name: &str) -> Vec<ObjectRef> {
    match translate::made_of(kind, name) {
        Some(Made::Credential(namespace, name)) => vec![ObjectRef::new(Kind::Secret, namespace, name)],
        Some(Made::Upstream(cluster)) => resolver.users(cluster).cloned().collect(),
        Some(Made::Part(part)) => resolver.services_of(part).into_iter().collect(),
        Some(Made::Port(port)) => resolver.objects_of(port).collect(),
        Some(Made::Stream(port, chain)) => {
            let service = resolver.stream_service(&(port, chain.into()));
            service.into_iter().cloned().collect()
        }
        None => Vec::new(),
    }
}
