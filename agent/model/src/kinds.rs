//! What there is to know of the kinds of objects, a row each: a new one is a row here, its variants of [`Kind`] and
//! [`Object`], and its own files.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::manifest::decode::{Decoded, Raw};
use crate::{Kind, Meta, Object};

/// What there is to know of a kind.
#[derive(Debug)]
pub struct Row {
    /// Whose row it is.
    pub kind: Kind,
    /// The API group, empty for the core's.
    pub group: &'static str,
    /// The versions of the group that are read; none of what no manifest can be.
    pub versions: &'static [&'static str],
    /// As paths of the API spell it.
    pub plural: &'static str,
    /// Where an object belongs that names no namespace.
    pub home: Home,
    /// How the Kubernetes source follows all objects of the kind; none: it does not, or by name alone.
    pub watch: Option<Watch>,
    /// What is read from its objects.
    pub affects: &'static [Affects],
    pub(crate) decode: fn(Raw<'_>) -> Decoded<Object>,
}

/// Where an object belongs that names no namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In the gateway's own.
    Gateway,
    /// Where those of all others belong: `default`.
    Other,
}

/// How the Kubernetes source follows a kind in all namespaces.
#[derive(Debug)]
pub struct Watch {
    /// The versions that are asked for, best first.
    pub versions: &'static [&'static str],
    /// Whether a CustomResourceDefinition makes the kind: it may be missing, and whoever wrote an object wants to be told
    /// what is wrong with it.
    pub is_custom: bool,
    /// Whether nothing is served without it: what other kinds say is about some destinations alone.
    pub is_vital: bool,
}

/// A part of the gateway that is read from objects. What in turn depends on such a part is not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Affects {
    /// Key pairs and trust bundles.
    Credentials,
    /// Ports, their filter chains and hosts.
    Servers,
    /// The rules of hosts, with the names of their destinations.
    Routes,
    /// Clusters and their endpoints.
    Destinations,
}

const ISTIO: &str = "networking.istio.io";
/// As Istio's own definitions have them; the first is the one that is stored.
const ISTIO_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];

const fn istio(is_vital: bool) -> Option<Watch> {
    Some(Watch {
        versions: &["v1", "v1beta1"],
        is_custom: true,
        is_vital,
    })
}

const BUILT_IN: Option<Watch> = Some(Watch {
    versions: &["v1"],
    is_custom: false,
    is_vital: false,
});

/// In the order of [`Kind`].
static ROWS: [Row; 11] = [
    Row {
        kind: Kind::Secret,
        group: "",
        versions: &["v1"],
        plural: "secrets",
        home: Home::Gateway,
        watch: None,
        affects: &[Affects::Credentials],
        decode: |raw| raw.secret().map(Object::Secret),
    },
    Row {
        kind: Kind::Gateway,
        group: ISTIO,
        versions: ISTIO_VERSIONS,
        plural: "gateways",
        home: Home::Gateway,
        watch: istio(true),
        affects: &[Affects::Servers, Affects::Routes],
        decode: |raw| spec(raw, Object::Gateway),
    },
    Row {
        kind: Kind::VirtualService,
        group: ISTIO,
        versions: ISTIO_VERSIONS,
        plural: "virtualservices",
        home: Home::Other,
        watch: istio(true),
        affects: &[Affects::Routes],
        decode: |raw| spec(raw, Object::VirtualService),
    },
    Row {
        kind: Kind::DestinationRule,
        group: ISTIO,
        versions: ISTIO_VERSIONS,
        plural: "destinationrules",
        home: Home::Other,
        watch: istio(false),
        affects: &[Affects::Destinations],
        decode: |raw| spec(raw, Object::DestinationRule),
    },
    // A destination without a port has that of its service: so services are part of routes.
    Row {
        kind: Kind::ServiceEntry,
        group: ISTIO,
        versions: ISTIO_VERSIONS,
        plural: "serviceentries",
        home: Home::Other,
        watch: istio(false),
        affects: &[Affects::Routes, Affects::Destinations],
        decode: |raw| spec(raw, Object::ServiceEntry),
    },
    Row {
        kind: Kind::WorkloadEntry,
        group: ISTIO,
        versions: ISTIO_VERSIONS,
        plural: "workloadentries",
        home: Home::Other,
        watch: istio(false),
        affects: &[Affects::Destinations],
        decode: |raw| spec(raw, Object::WorkloadEntry),
    },
    Row {
        kind: Kind::Service,
        group: "",
        versions: &["v1"],
        plural: "services",
        home: Home::Other,
        watch: BUILT_IN,
        affects: &[Affects::Routes, Affects::Destinations],
        decode: |raw| whole(raw, Object::Service),
    },
    Row {
        kind: Kind::EndpointSlice,
        group: "discovery.k8s.io",
        versions: &["v1"],
        plural: "endpointslices",
        home: Home::Other,
        watch: BUILT_IN,
        affects: &[Affects::Destinations],
        decode: |raw| whole(raw, Object::EndpointSlice),
    },
    // Manifests alone have them: every API server makes slices of its own.
    Row {
        kind: Kind::Endpoints,
        group: "",
        versions: &["v1"],
        plural: "endpoints",
        home: Home::Other,
        watch: None,
        affects: &[Affects::Destinations],
        decode: |raw| whole(raw, Object::Endpoints),
    },
    // Of an API server only those of namespaces where a subset needs them.
    Row {
        kind: Kind::Pod,
        group: "",
        versions: &["v1"],
        plural: "pods",
        home: Home::Other,
        watch: None,
        affects: &[Affects::Destinations],
        decode: |raw| Ok(Object::Pod(raw.name_and_labels())),
    },
    Row {
        kind: Kind::File,
        group: "",
        versions: &[],
        plural: "files",
        home: Home::Other,
        watch: None,
        affects: &[],
        decode: |raw| Err(raw.no_object()),
    },
];

/// Every kind has its row, at its own place.
const _: () = {
    assert!(ROWS.len() == Kind::File as usize + 1);
    let mut at = 0;
    while at < ROWS.len() {
        assert!(ROWS[at].kind as usize == at);
        at += 1;
    }
};

fn spec<T: Clone + DeserializeOwned>(
    raw: Raw<'_>,
    object: fn(Arc<Meta>, Arc<T>) -> Object,
) -> Decoded<Object> {
    raw.spec().map(|(meta, spec)| object(meta, spec))
}

fn whole<T: Clone + DeserializeOwned>(
    raw: Raw<'_>,
    object: fn(Arc<Meta>, Arc<T>) -> Object,
) -> Decoded<Object> {
    raw.whole().map(|(meta, whole)| object(meta, whole))
}

impl Kind {
    /// What there is to know of it.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// All kinds, in order.
    pub fn rows() -> impl Iterator<Item = &'static Row> {
        ROWS.iter()
    }

    /// The kind of this name; a file is none that has one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut kinds = Self::rows().map(|row| row.kind);
        kinds.find(|kind| kind.as_str() == name && *kind != Self::File)
    }

    /// What a manifest of it says as `apiVersion`: the first that is read.
    #[must_use]
    pub fn api_version(self) -> String {
        let row = self.row();
        let version = row.versions.first().copied().unwrap_or_default();
        match row.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }

    /// The kind of a manifest, if it is one that is read.
    #[must_use]
    pub fn of(name: &str, api_version: &str) -> Option<Self> {
        let is_it = |row: &&Row| {
            let version = if row.group.is_empty() {
                Some(api_version)
            } else {
                api_version
                    .strip_prefix(row.group)
                    .and_then(|rest| rest.strip_prefix('/'))
            };
            row.kind.as_str() == name && version.is_some_and(|version| row.versions.contains(&version))
        };
        Self::rows().find(is_it).map(|row| row.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_known_by_its_kind_and_version_together() {
        for (name, version, kind) in [
            ("Secret", "v1", Some(Kind::Secret)),
            ("EndpointSlice", "discovery.k8s.io/v1", Some(Kind::EndpointSlice)),
            ("Gateway", "networking.istio.io/v1alpha3", Some(Kind::Gateway)),
            ("Gateway", "networking.istio.io/v2", None),
            ("Gateway", "networking.istio.iov1", None),
            ("Gateway", "v1", None),
            ("Secret", "/v1", None),
            ("Secret", "networking.istio.io/v1", None),
            ("File", "", None),
        ] {
            assert_eq!(Kind::of(name, version), kind, "{version} {name}");
        }
    }
}
