//! An object as a line, without what only its source knows. A Secret is none: it holds keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{Kind, Meta, Object, SourceObject, manifest};

/// A kind that no line has.
#[derive(Debug, Error)]
#[error("unknown kind {0:?}")]
pub struct UnknownKind(String);

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectLine {
    /// As manifests spell it.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    created: Option<i64>,
    /// Its `spec`, or all of it where the kind has more.
    spec: Value,
}

impl ObjectLine {
    /// None of a Secret.
    #[must_use]
    pub fn new(object: &Object) -> Option<Self> {
        let spec = match object {
            // Credentials are kept by themselves: a Secret holds keys.
            Object::Secret(_) => return None,
            Object::Gateway(_, spec) => serde_json::to_value(&**spec),
            Object::VirtualService(_, spec) => serde_json::to_value(&**spec),
            Object::DestinationRule(_, spec) => serde_json::to_value(&**spec),
            Object::ServiceEntry(_, spec) => serde_json::to_value(&**spec),
            Object::Service(_, whole) => serde_json::to_value(&**whole),
            Object::EndpointSlice(_, whole) => serde_json::to_value(&**whole),
            Object::Endpoints(_, whole) => serde_json::to_value(&**whole),
            Object::WorkloadEntry(_, spec) => serde_json::to_value(&**spec),
            // Its labels are all that is read of it.
            Object::Pod(_) => Ok(Value::Null),
        };
        let meta = object.meta();
        Some(Self {
            kind: object.kind().as_str().to_owned(),
            namespace: meta.namespace.to_string(),
            name: meta.name.to_string(),
            labels: meta.labels.clone(),
            annotations: meta.annotations.clone(),
            created: meta.created,
            spec: spec.ok()?,
        })
    }

    /// The object, as a source would have read it.
    ///
    /// # Errors
    /// There is no such kind.
    pub fn read(self) -> Result<SourceObject, UnknownKind> {
        let kind = Kind::named(&self.kind).filter(|kind| !matches!(kind, Kind::Secret | Kind::File));
        let kind = kind.ok_or(UnknownKind(self.kind))?;
        let meta = Meta {
            namespace: self.namespace.into(),
            name: self.name.into(),
            labels: self.labels,
            annotations: self.annotations,
            created: self.created,
        };
        let value = match kind {
            Kind::Service | Kind::EndpointSlice | Kind::Endpoints => self.spec,
            _ => with_spec(self.spec),
        };
        Ok(manifest::decode(kind, meta, value))
    }

    /// The same without fields that say nothing: what is read of it is the same, and half as long.
    #[must_use]
    pub fn compact(mut self) -> Self {
        prune(&mut self.spec);
        self
    }

    /// As a manifest, for people to read and edit.
    #[must_use]
    pub fn manifest(self) -> Value {
        let mut metadata = json!({ "name": self.name, "namespace": self.namespace });
        for (field, strings) in [("labels", self.labels), ("annotations", self.annotations)] {
            if !strings.is_empty() {
                metadata[field] = json!(strings);
            }
        }
        let kind = Kind::named(&self.kind);
        let version = kind.map(Kind::api_version).unwrap_or_default();
        let mut whole = match (kind, self.spec) {
            (Some(Kind::Service | Kind::EndpointSlice | Kind::Endpoints), whole @ Value::Object(_)) => whole,
            (_, Value::Null) => json!({}),
            (_, spec) => with_spec(spec),
        };
        whole["apiVersion"] = json!(version);
        whole["kind"] = json!(self.kind);
        whole["metadata"] = metadata;
        whole
    }
}

/// An object of this alone. `json!` would copy all of it.
fn with_spec(spec: Value) -> Value {
    [("spec", spec)].into_iter().collect()
}

/// Takes off nulls and empty lists, each as good as a field that is not there. An empty map may say something: any value.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields
                .retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
            fields.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}
