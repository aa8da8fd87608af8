//! The fields of the kinds that are read, from their definitions in `envoy/kubernetes/crds.yaml`, and where objects
//! have them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const DEFINITIONS: &str = include_str!("../../envoy/kubernetes/crds.yaml");

/// The definitions of `spec`, by kind.
///
/// # Errors
/// The file is no definition of the five kinds.
pub fn schemas() -> Result<BTreeMap<String, Value>> {
    let definitions: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS)?;
    let schema = |definition: &Value| {
        let kind = definition["spec"]["names"]["kind"].as_str().context("a kind")?;
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        Ok((kind.to_owned(), schema.clone()))
    };
    let schemas: BTreeMap<_, _> = definitions.iter().map(schema).collect::<Result<_>>()?;
    ensure!(schemas.len() == 5, "{:?}", schemas.keys());
    Ok(schemas)
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// The field in the schema: `http[].match[].headers[*].exact`.
    pub field: String,
    /// Its place as findings name it: `spec.http[0].match[1].headers[x-a].exact`.
    pub place: String,
    /// Its place as a JSON pointer below `spec`: the field of this name is below this value.
    pub parent: String,
    /// The field's own name.
    pub name: String,
}

/// Every field of a schema.
#[must_use]
pub fn of_schema(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk_schema(schema, "", &mut found);
    found
}

fn walk_schema(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = join(path, name);
        walk_schema(schema, &path, found);
        found.insert(path);
    }
    for (keyword, suffix) in [("items", "[]"), ("additionalProperties", "[*]")] {
        if let Some(schema) = schema.get(keyword) {
            walk_schema(schema, &format!("{path}{suffix}"), found);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

/// Every field that `spec` has.
#[must_use]
pub fn of_object(schema: &Value, spec: &Value) -> Vec<Occurrence> {
    let mut found = Vec::new();
    let at = Place {
        field: String::new(),
        place: "spec".to_owned(),
        pointer: String::new(),
    };
    walk_object(schema, spec, &at, &mut found);
    found
}

struct Place {
    field: String,
    place: String,
    pointer: String,
}

fn walk_object(schema: &Value, value: &Value, at: &Place, found: &mut Vec<Occurrence>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let Some(value) = value.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        let place = Place {
            field: join(&at.field, name),
            place: format!("{}.{name}", at.place),
            pointer: format!("{}/{name}", at.pointer),
        };
        found.push(Occurrence {
            field: place.field.clone(),
            place: place.place.clone(),
            parent: at.pointer.clone(),
            name: name.clone(),
        });
        walk_object(schema, value, &place, found);
    }
    if let (Some(schema), Some(items)) = (schema.get("items"), value.as_array()) {
        for (index, value) in items.iter().enumerate() {
            walk_object(schema, value, &below(at, "[]", &index.to_string()), found);
        }
    }
    if let (Some(schema), Some(entries)) = (schema.get("additionalProperties"), value.as_object()) {
        for (key, value) in entries {
            walk_object(schema, value, &below(at, "[*]", key), found);
        }
    }
}

fn below(at: &Place, suffix: &str, key: &str) -> Place {
    let escaped = key.replace('~', "~0").replace('/', "~1");
    Place {
        field: format!("{}{suffix}", at.field),
        place: format!("{}[{key}]", at.place),
        pointer: format!("{}/{escaped}", at.pointer),
    }
}
