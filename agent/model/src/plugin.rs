//! The configuration of a filter without an agent, read before it is applied: what the filter itself would say of it, in the
//! form of findings.

use sealgate_core::plugin::{PluginConfig, PluginProblem, PluginReport, routes};
use serde_json::Value;

use crate::{Code, Finding, ObjectRef, Severity};

/// Findings of a file that holds one, or a WasmPlugin or EnvoyExtensionPolicy with one in it.
#[must_use]
pub fn check(name: &str, bytes: &[u8]) -> Vec<Finding> {
    let file = || ObjectRef::file(name);
    let document = match document(bytes) {
        Ok(document) => document,
        Err((code, message)) => {
            return vec![Finding {
                severity: Severity::Error,
                code,
                object: file(),
                field: None,
                message,
            }];
        }
    };
    let all = configurations(document).into_iter();
    all.flat_map(|(place, value)| findings(&file(), place.as_deref(), value))
        .collect()
}

/// Findings of a configuration that was read already, under the name of the file that it is of.
#[must_use]
pub fn check_value(name: &str, config: Value) -> Vec<Finding> {
    findings(&ObjectRef::file(name), None, config)
}

fn findings(object: &ObjectRef, place: Option<&str>, config: Value) -> Vec<Finding> {
    let mut report = PluginReport::default();
    let config = PluginConfig::from_value(config, &mut report);
    let _ = routes(&config, &mut report);
    let problems = report.problems().iter();
    problems
        .map(|problem| finding(object.clone(), place, problem))
        .collect()
}

/// YAML, of which JSON is a part; one document, which may be empty.
fn document(bytes: &[u8]) -> Result<Value, (Code, String)> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("invalid UTF-8 at byte {}", error.valid_up_to());
        (Code::InvalidUtf8, message)
    })?;
    match serde_saphyr::from_str::<Option<Value>>(text) {
        Ok(value) => Ok(value.unwrap_or_default()),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default();
            Err((Code::BadPluginConfig, reason.to_owned()))
        }
    }
}

/// What a manifest has for the filter, each with its place in it; a document that is no manifest is a configuration itself.
fn configurations(mut document: Value) -> Vec<(Option<String>, Value)> {
    match document.get("kind").and_then(Value::as_str) {
        Some("WasmPlugin") => {
            let config = document.pointer_mut("/spec/pluginConfig").map(Value::take);
            vec![(Some("spec.pluginConfig".to_owned()), config.unwrap_or_default())]
        }
        Some("EnvoyExtensionPolicy") => {
            let wasm = document.pointer_mut("/spec/wasm").and_then(Value::as_array_mut);
            let all = wasm.into_iter().flatten().enumerate().map(|(at, wasm)| {
                let config = wasm.get_mut("config").map(Value::take);
                (
                    Some(format!("spec.wasm[{at}].config")),
                    config.unwrap_or_default(),
                )
            });
            all.collect()
        }
        _ => vec![(None, document)],
    }
}

fn finding(object: ObjectRef, place: Option<&str>, problem: &PluginProblem) -> Finding {
    let field = match (place, problem.place.as_str()) {
        (None, "") => None,
        (None, own) => Some(own.to_owned()),
        (Some(place), "") => Some(place.to_owned()),
        (Some(place), own) => Some(format!("{place}.{own}")),
    };
    Finding {
        severity: if problem.refused {
            Severity::Error
        } else {
            Severity::Warning
        },
        code: problem.code.into(),
        object,
        field,
        message: problem.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_and_manifests_are_read() {
        let bad = "identity: {xfcc: off, colour: red}";
        for (text, field) in [
            (bad.to_owned(), "identity.colour"),
            (r#"{"identity": {"colour": "red"}}"#.to_owned(), "identity.colour"),
            (
                format!("kind: WasmPlugin\nspec:\n  pluginConfig:\n    {bad}\n"),
                "spec.pluginConfig.identity.colour",
            ),
            (
                format!(
                    "kind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - config: {{}}\n  - config: {{{bad}}}\n"
                ),
                "spec.wasm[1].config.identity.colour",
            ),
        ] {
            let found = check("f", text.as_bytes());
            let found: Vec<_> = found
                .iter()
                .map(|own| (own.code, own.severity, own.field.as_deref()))
                .collect();
            assert_eq!(
                found,
                [(Code::BadPluginConfig, Severity::Error, Some(field))],
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_good_and_no_text_is_not() {
        for good in [
            "",
            "# only a comment\n",
            "{}",
            "kind: WasmPlugin\nspec: {}\n",
            "identity: {xfcc: off}",
        ] {
            assert_eq!(check("f", good.as_bytes()), [], "{good}");
        }
        let code = |bytes: &[u8]| check("f", bytes).first().map(|own| own.code);
        assert_eq!(code(b"\xff"), Some(Code::InvalidUtf8));
        assert_eq!(code(b"a: [\n"), Some(Code::BadPluginConfig));
        assert_eq!(code(b"a: 1\na: 2\n"), Some(Code::BadPluginConfig));
    }

    #[test]
    fn what_a_rule_says_has_its_own_code() {
        let text = "routing: {virtualServices: [{hosts: [a.example], http: [{redirect: {redirectCode: 200, uri: /}}]}]}";
        let found = check("f", text.as_bytes());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].to_string(),
            "File f: routing.virtualServices[0].http[0].redirect.redirectCode: 200 is not one of 301, 302, 303, 307, 308 (bad-redirect)"
        );
        let warned = check("f", b"identity: {misdirected: reject}");
        assert_eq!(
            (warned[0].code, warned[0].severity),
            (Code::NotCarriedOut, Severity::Warning)
        );
    }
}
