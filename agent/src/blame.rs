//! Whose a resource is that a proxy refused: the objects that it was made of.

use sealgate_model::resolve::Resolver;
use sealgate_model::{Code, Finding, Kind, ObjectRef, Severity};

use crate::snapshot::{ResourceKey, TypeUrl};
use crate::translate::{self, Made};

/// What is to be said of each of them.
pub(crate) fn findings(resolver: &Resolver, (kind, name): &ResourceKey, reason: &str) -> Vec<Finding> {
    let finding = |object| Finding {
        severity: Severity::Error,
        code: Code::RefusedByProxy,
        object,
        field: None,
        message: format!("a proxy refuses {} {name}: {reason}", kind.short()),
    };
    objects(resolver, *kind, name).into_iter().map(finding).collect()
}

/// What is to be said of an object with which a proxy refuses a resource that others are part of.
pub(crate) fn verdict(object: &ObjectRef, (kind, name): &ResourceKey, reason: &str) -> Finding {
    let kind = kind.short();
    Finding {
        severity: Severity::Error,
        code: Code::RefusedByProxy,
        object: object.clone(),
        field: None,
        message: format!(
            "with it a proxy refuses {kind} {name}: {reason}; its last good version is served on"
        ),
    }
}

fn objects(resolver: &Resolver, kind: TypeUrl, name: &str) -> Vec<ObjectRef> {
    match translate::made_of(kind, name) {
        Some(Made::Credential(namespace, name)) => vec![ObjectRef::new(Kind::Secret, namespace, name)],
        Some(Made::Upstream(cluster)) => resolver.users(cluster).cloned().collect(),
        Some(Made::Part(part)) => resolver.services_of(part).into_iter().collect(),
        Some(Made::Port(port)) => resolver.gateways_of(port).collect(),
        None => Vec::new(),
    }
}
