//! Names of Secrets on the wire. Istio, Envoy Gateway and plain Envoy spell the same credential in different ways; in
//! the snapshot, it is `NS/NAME`, and every answer has the name exactly as it was requested.

use std::borrow::Cow;

const WITH_NAMESPACE: &str = "kubernetes-gateway://";
const KUBERNETES: &str = "kubernetes://";
const SDS: &str = "sds://";

/// The name in the snapshot of a Secret requested as `wire`.
pub(crate) fn canonical<'w>(wire: &'w str, namespace: &str) -> Cow<'w, str> {
    let name = [WITH_NAMESPACE, KUBERNETES, SDS]
        .iter()
        .find_map(|prefix| wire.strip_prefix(prefix))
        .unwrap_or(wire);
    if name.contains('/') {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("{namespace}/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_names_the_same_secret() {
        for wire in [
            "a",
            "ns/a",
            "kubernetes://a",
            "kubernetes://ns/a",
            "kubernetes-gateway://ns/a",
            "sds://a",
        ] {
            assert_eq!(canonical(wire, "ns"), "ns/a", "{wire}");
        }
        assert_eq!(canonical("kubernetes://a-cacert", "ns"), "ns/a-cacert");
        assert_eq!(canonical("other/a", "ns"), "other/a");
    }
}
