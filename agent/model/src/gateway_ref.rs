//! How a VirtualService names a Gateway: `name`, `namespace/name`, or Istio's older form with dots, `name.namespace` and
//! what a Service's full name has behind that.

use crate::manifest::is_name;

/// Stands for the sidecars of a mesh.
pub(crate) const MESH: &str = "mesh";

/// Namespace and name of the Gateway that an object of the namespace `own` names.
#[must_use]
pub fn resolve<'t>(text: &'t str, own: &'t str) -> (&'t str, &'t str) {
    match text.split_once('/') {
        Some((".", name)) => (own, name),
        Some(pair) => pair,
        None => match text.split_once('.') {
            Some((name, rest)) => (rest.split('.').next().unwrap_or(rest), name),
            None => (own, text),
        },
    }
}

/// Whether there can be a Gateway of this name.
pub(crate) fn is_possible(text: &str) -> bool {
    // Of a Gateway in the own namespace the name alone counts.
    let (namespace, name) = resolve(text, "default");
    is_namespace(namespace) && is_name(name)
}

/// RFC 1123's label.
pub(crate) fn is_namespace(name: &str) -> bool {
    name.len() <= 63 && !name.contains('.') && is_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_resolved_as_istio_does() {
        for (text, found) in [
            ("edge", ("shop", "edge")),
            ("./edge", ("shop", "edge")),
            ("infra/edge", ("infra", "edge")),
            ("infra/edge.v2", ("infra", "edge.v2")),
            ("edge.infra", ("infra", "edge")),
            ("edge.infra.svc.cluster.local", ("infra", "edge")),
            ("mesh", ("shop", "mesh")),
        ] {
            assert_eq!(resolve(text, "shop"), found, "{text}");
            assert!(is_possible(text), "{text}");
        }
    }

    #[test]
    fn what_no_gateway_can_be_called_is_not_possible() {
        for text in [
            "",
            "/",
            "/edge",
            "infra/",
            "Team_A/edge",
            "a/b/c",
            "a.b/edge",
            "*/edge",
            "Edge",
            "edge.",
            ".infra",
            "edge..svc",
            "a b",
            "-a/edge",
        ] {
            assert!(!is_possible(text), "{text}");
        }
    }
}
