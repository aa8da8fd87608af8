//! `routing.virtualServices`: each is a VirtualService as applied to a cluster, or only its `spec`.

use serde_json::Value;

use super::problem::PluginReport;
use crate::config::VirtualServiceSpec;
use crate::reading::{self, Misread};

/// Their place.
pub(super) const PLACE: &str = "routing.virtualServices";
const KIND: &str = "VirtualService";
const VERSIONS: [&str; 3] = [
    "networking.istio.io/v1",
    "networking.istio.io/v1beta1",
    "networking.istio.io/v1alpha3",
];
const MANIFEST_KEYS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// A VirtualService in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GivenService {
    /// The place of its spec.
    pub(super) place: String,
    /// `namespace/name`, or its place if it has no name.
    pub(super) name: String,
    /// The namespace of names without a dot; none if not given.
    pub(super) namespace: Option<String>,
    /// Its spec.
    pub(super) spec: VirtualServiceSpec,
}

pub(super) fn all(items: &[Value], report: &mut PluginReport) -> Vec<GivenService> {
    let mut services = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        match one(item, format!("{PLACE}[{at}]")) {
            Ok(service) => services.push(service),
            Err(misread) => report.misread(misread),
        }
    }
    services
}

fn one(item: &Value, place: String) -> Result<GivenService, Misread> {
    let is_manifest = ["apiVersion", "kind", "metadata", "spec"]
        .iter()
        .any(|key| item.get(key).is_some());
    if !is_manifest {
        return Ok(GivenService {
            spec: reading::read(item, &place)?,
            name: place.clone(),
            namespace: None,
            place,
        });
    }
    reading::keys(Some(item), &place, &MANIFEST_KEYS)?;
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
    if text("/kind") != Some(KIND) {
        return Err(Misread::new(
            format!("{place}.kind"),
            format!("{KIND} is expected"),
        ));
    }
    if !text("/apiVersion").is_some_and(|version| VERSIONS.contains(&version)) {
        let reason = format!("one of {}", VERSIONS.join(", "));
        return Err(Misread::new(format!("{place}.apiVersion"), reason));
    }
    let namespace = text("/metadata/namespace").map(str::to_owned);
    let name = match (&namespace, text("/metadata/name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name.to_owned(),
        (_, None) => place.clone(),
    };
    let place = format!("{place}.spec");
    let Some(spec) = item.get("spec") else {
        return Err(Misread::new(place, "there is none"));
    };
    Ok(GivenService {
        spec: reading::read(spec, &place)?,
        place,
        name,
        namespace,
    })
}
