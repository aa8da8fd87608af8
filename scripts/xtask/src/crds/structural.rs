//! Converts JSON Schema, as derived by schemars, to a Kubernetes structural schema: every node has one type, there are
//! no references or choices, and unknown fields are pruned unless a node says otherwise.
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// Keywords without a meaning to the API server, or implied by the node's type.
const DROPPED: [&str; 4] = ["$schema", "title", "default", "required"];
/// Keywords that are the same in both.
const KEPT: [&str; 5] = ["description", "minimum", "maximum", "minItems", "maxItems"];
/// Of the formats that schemars gives to numbers, those that Kubernetes knows.
const FORMATS: [&str; 4] = ["int32", "int64", "float", "double"];

/// The structural schema of a schema without references.
///
/// An unknown keyword is an error: dropping it could silently loosen the schema.
pub(super) fn from(schema: &Value) -> Result<Value> {
    let node = match schema {
        Value::Bool(true) => return Ok(anything()),
        Value::Object(node) => node,
        other => bail!("{other} is no schema of a field"),
    };
    if let Some(choices) = node.get("anyOf") {
        return optional(node, choices);
    }
    let mut result = Map::new();
    for (keyword, value) in node {
        match keyword.as_str() {
            "type" => one_type(value, &mut result)?,
            "format" if FORMATS.iter().any(|known| value == known) => {
                result.insert(keyword.clone(), value.clone());
            }
            "format" => {}
            "properties" => {
                result.insert(keyword.clone(), properties(value)?);
            }
            "items" | "additionalProperties" => {
                result.insert(keyword.clone(), from(value).with_context(|| keyword.clone())?);
            }
            kept if KEPT.contains(&kept) => {
                result.insert(keyword.clone(), value.clone());
            }
            dropped if DROPPED.contains(&dropped) => {}
            unknown => bail!("{unknown} has no place in a structural schema"),
        }
    }
    if !result.contains_key("type") {
        result.extend(anything().as_object().cloned().unwrap_or_default());
    }
    Ok(Value::Object(result))
}

/// The schema of a `serde_json::Value` field: the agent keeps all of it, so the API server must too.
fn anything() -> Value {
    json!({ "x-kubernetes-preserve-unknown-fields": true })
}

fn properties(value: &Value) -> Result<Value> {
    let fields = value.as_object().context("properties are a map")?;
    let converted = fields.iter().map(|(name, schema)| {
        let schema = from(schema).with_context(|| name.clone())?;
        Ok((name.clone(), schema))
    });
    Ok(Value::Object(converted.collect::<Result<_>>()?))
}

/// `"string"`, or `["string", "null"]` of an `Option`.
fn one_type(value: &Value, result: &mut Map<String, Value>) -> Result<()> {
    let types: Vec<&Value> = value
        .as_array()
        .map_or_else(|| vec![value], |types| types.iter().collect());
    let (null, others): (Vec<&Value>, Vec<&Value>) = types.into_iter().partition(|name| *name == "null");
    let [one] = others.as_slice() else {
        bail!("{value} is not one type")
    };
    result.insert("type".to_owned(), (*one).clone());
    if !null.is_empty() {
        result.insert("nullable".to_owned(), true.into());
    }
    Ok(())
}

/// `anyOf: [X, null]` of an `Option` of a struct; the field's description takes precedence over the struct's.
fn optional(node: &Map<String, Value>, choices: &Value) -> Result<Value> {
    let choices = choices.as_array().context("anyOf is a list")?;
    let [one, null] = choices.as_slice() else {
        bail!(
            "a choice of {} has no place in a structural schema",
            choices.len()
        )
    };
    if null["type"] != "null" {
        bail!("only an Option may be a choice");
    }
    let mut result = from(one)?;
    result["nullable"] = true.into();
    if let Some(description) = node.get("description") {
        result["description"] = description.clone();
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_schemars_says_becomes_structural() {
        let cases = [
            (json!(true), anything()),
            (
                json!({ "description": "x" }),
                json!({ "description": "x", "x-kubernetes-preserve-unknown-fields": true }),
            ),
            (
                json!({ "type": ["string", "null"] }),
                json!({ "type": "string", "nullable": true }),
            ),
            (
                json!({ "type": "integer", "format": "uint32", "minimum": 0, "default": 0 }),
                json!({ "type": "integer", "minimum": 0 }),
            ),
            (
                json!({ "type": "number", "format": "double" }),
                json!({ "type": "number", "format": "double" }),
            ),
            (
                json!({ "type": "array", "items": true, "default": [] }),
                json!({ "type": "array", "items": anything() }),
            ),
            (
                json!({ "description": "own", "anyOf": [
                    { "type": "object", "description": "struct", "properties": { "a": { "type": "boolean" } } },
                    { "type": "null" },
                ] }),
                json!({ "type": "object", "description": "own", "nullable": true,
                    "properties": { "a": { "type": "boolean" } } }),
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(from(&schema).unwrap(), expected, "{schema}");
        }
    }

    #[test]
    fn what_it_cannot_say_is_refused() {
        let cases = [
            json!(false),
            json!({ "$ref": "#/$defs/A" }),
            json!({ "type": "object", "properties": { "a": { "oneOf": [] } } }),
            json!({ "type": ["string", "integer"] }),
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            json!({ "type": "object", "additionalProperties": false }),
        ];
        for schema in cases {
            assert!(from(&schema).is_err(), "{schema}");
        }
    }
}
