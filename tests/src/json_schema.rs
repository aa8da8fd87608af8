//! Whether a value is as its JSON Schema says, and has nothing that the schema does not name. Of the language it knows what
//! schemas of our types use, and refuses every other word.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Words that say nothing of whether a value fits.
const ANNOTATIONS: [&str; 7] = [
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "format",
    "required",
];

/// Checks the value, and everything in it.
///
/// # Errors
/// The first place that does not fit.
pub fn fits(value: &Value, schema: &Value) -> Result<()> {
    check(value, schema, schema, "$")
}

fn check(value: &Value, schema: &Value, root: &Value, place: &str) -> Result<()> {
    let Some(words) = schema.as_object() else {
        ensure!(*schema == Value::Bool(true), "{place}: nothing fits");
        return Ok(());
    };
    for (word, meant) in words {
        match word.as_str() {
            "$ref" => check(value, referred(root, meant)?, root, place)?,
            "type" => ensure!(
                is_of_type(value, meant),
                "{place}: {value} is not of type {meant}"
            ),
            "minimum" => ensure!(
                value.as_f64() >= meant.as_f64(),
                "{place}: {value} is less than {meant}"
            ),
            "const" => ensure!(value == meant, "{place}: {value} is not {meant}"),
            "enum" => {
                let is_one = meant.as_array().is_some_and(|all| all.contains(value));
                ensure!(is_one, "{place}: {value} is none of {meant}");
            }
            "anyOf" | "oneOf" => any(value, meant, root, place)?,
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, meant, root, &format!("{place}[{at}]"))?;
                }
            }
            "properties" => properties(value, schema, root, place)?,
            "additionalProperties" => {
                for (name, own) in value.as_object().into_iter().flatten() {
                    check(own, meant, root, &format!("{place}.{name}"))?;
                }
            }
            word if ANNOTATIONS.contains(&word) => {}
            word => bail!("{place}: the check does not know {word:?}"),
        }
    }
    Ok(())
}

fn referred<'s>(root: &'s Value, reference: &Value) -> Result<&'s Value> {
    let path = reference.as_str().and_then(|text| text.strip_prefix('#'));
    path.and_then(|path| root.pointer(path))
        .with_context(|| format!("{reference} leads nowhere"))
}

fn is_of_type(value: &Value, meant: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match meant {
        Value::Array(all) => all.iter().filter_map(Value::as_str).any(is),
        one => one.as_str().is_some_and(is),
    }
}

fn any(value: &Value, schemas: &Value, root: &Value, place: &str) -> Result<()> {
    let all = schemas.as_array().into_iter().flatten();
    let fits = all
        .map(|schema| check(value, schema, root, place))
        .any(|result| result.is_ok());
    ensure!(fits, "{place}: {value} is none of {schemas}");
    Ok(())
}

/// All that are required, and none that the schema does not name.
fn properties(value: &Value, schema: &Value, root: &Value, place: &str) -> Result<()> {
    let Some(own) = value.as_object() else {
        return Ok(());
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        ensure!(own.contains_key(name), "{place}: {name} is missing");
    }
    for (name, value) in own {
        let known = schema["properties"].get(name);
        let known = known.with_context(|| format!("{place}: {name} is not in the schema"))?;
        check(value, known, root, &format!("{place}.{name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_found() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": {"type": ["string", "null"]},
                "b": {"type": "array", "items": {"$ref": "#/$defs/B"}},
            },
            "required": ["a"],
            "$defs": {"B": {"oneOf": [{"const": "x"}, {"type": "integer", "minimum": 0}]}},
        });
        for good in [json!({"a": null}), json!({"a": "s", "b": ["x", 3]})] {
            fits(&good, &schema).unwrap();
        }
        for bad in [
            json!([]),
            json!({}),
            json!({"a": 1}),
            json!({"a": null, "c": 1}),
            json!({"a": null, "b": ["y"]}),
            json!({"a": null, "b": [-1]}),
        ] {
            assert!(fits(&bad, &schema).is_err(), "{bad}");
        }
        assert!(
            fits(&json!("a"), &json!({"pattern": "b"})).is_err(),
            "an unknown word"
        );
    }
}
