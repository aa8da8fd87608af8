//! `envoy/kubernetes/crds.yaml`: the CustomResourceDefinitions of `networking.istio.io`, from the serde types with
//! which the agent reads objects. For clusters and tests without Istio; Istio's own definitions work as well.

mod refusals;
mod structural;

use std::fs;

use anyhow::{Context as _, Result};
use schemars::{JsonSchema, Schema};
use sealgate_core::config::{
    DestinationRuleSpec, GatewaySpec, ServiceEntrySpec, VirtualServiceSpec, WorkloadEntry,
};
use sealgate_model::Kind;
use sealgate_model::kinds::Row;
use serde_json::{Value, json};

const FILE: &str = "envoy/kubernetes/crds.yaml";
const HEAD: &str = "# Written by `cargo xtask crds` from filter/core/src/config: change the types, not this file.\n\
                    # For clusters without Istio. Istio's own definitions work as well.\n";

/// One kind, and what `kubectl get` shows. All versions of its row are served with one schema, as in Istio; the first
/// is the one that is stored.
struct Definition {
    kind: Kind,
    short: &'static str,
    /// Title, JSON path and description.
    columns: &'static [(&'static str, &'static str, &'static str)],
    schema: fn() -> Schema,
}

const KINDS: [Definition; 5] = [
    Definition {
        kind: Kind::Gateway,
        short: "gw",
        columns: &[],
        schema: schema::<GatewaySpec>,
    },
    Definition {
        kind: Kind::VirtualService,
        short: "vs",
        columns: &[
            ("Gateways", ".spec.gateways", "The Gateways that it is bound to"),
            ("Hosts", ".spec.hosts", "The hosts that it applies to"),
        ],
        schema: schema::<VirtualServiceSpec>,
    },
    Definition {
        kind: Kind::DestinationRule,
        short: "dr",
        columns: &[("Host", ".spec.host", "The service")],
        schema: schema::<DestinationRuleSpec>,
    },
    Definition {
        kind: Kind::ServiceEntry,
        short: "se",
        columns: &[
            ("Hosts", ".spec.hosts", "Its names"),
            ("Resolution", ".spec.resolution", "How its endpoints are found"),
        ],
        schema: schema::<ServiceEntrySpec>,
    },
    Definition {
        kind: Kind::WorkloadEntry,
        short: "we",
        columns: &[("Address", ".spec.address", "Where it is")],
        schema: schema::<WorkloadEntry>,
    },
];

/// Writes the file, if it differs.
pub(crate) fn write() -> Result<()> {
    let text = text()?;
    if fs::read_to_string(FILE).ok().as_ref() != Some(&text) {
        fs::write(FILE, text)?;
    }
    Ok(())
}

fn text() -> Result<String> {
    let mut text = HEAD.to_owned();
    for kind in &KINDS {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&definition(kind)?)?);
    }
    Ok(text)
}

/// A schema without references, which structural ones must not have.
fn schema<T: JsonSchema>() -> Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let mut generator = settings
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    generator.root_schema_for::<T>()
}

fn definition(kind: &Definition) -> Result<Value> {
    let row = kind.kind.row();
    let mut spec = structural::from(&(kind.schema)().to_value()).context(row.kind.as_str())?;
    refusals::add(kind.kind, &mut spec).context(row.kind.as_str())?;
    let versions = row.versions.iter();
    let versions: Vec<Value> = versions.map(|name| version(name, row, kind, &spec)).collect();
    Ok(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", row.plural, row.group) },
        "spec": {
            "group": row.group,
            "scope": "Namespaced",
            "names": {
                "kind": row.kind.as_str(),
                "listKind": format!("{}List", row.kind.as_str()),
                "plural": row.plural,
                "singular": row.kind.as_str().to_lowercase(),
                "shortNames": [kind.short],
                "categories": ["istio-io", "networking-istio-io"],
            },
            "versions": versions,
        },
    }))
}

/// `status` is not ours: everything in it is kept.
fn version(name: &str, row: &Row, kind: &Definition, spec: &Value) -> Value {
    let mut columns: Vec<Value> = Vec::new();
    for (title, path, description) in kind.columns {
        columns.push(json!({
            "name": title, "jsonPath": path, "type": "string", "description": description,
        }));
    }
    columns.push(json!({ "name": "Age", "jsonPath": ".metadata.creationTimestamp", "type": "date" }));
    json!({
        "name": name,
        "served": true,
        "storage": row.versions.first() == Some(&name),
        "subresources": { "status": {} },
        "additionalPrinterColumns": columns,
        "schema": { "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "spec": spec,
                "status": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
            },
        } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_file_is_what_the_types_say() {
        let path = crate::root().unwrap().join(FILE);
        let committed = fs::read_to_string(path).unwrap();
        assert!(
            committed == text().unwrap(),
            "{FILE} is old: run `cargo xtask crds`"
        );
    }

    #[test]
    fn exactly_one_version_is_stored() {
        for kind in &KINDS {
            let definition = definition(kind).unwrap();
            let versions = definition["spec"]["versions"].as_array().unwrap();
            assert_eq!(versions.len(), kind.kind.row().versions.len());
            assert_eq!(
                versions
                    .iter()
                    .filter(|version| version["storage"] == true)
                    .count(),
                1
            );
        }
    }
}
