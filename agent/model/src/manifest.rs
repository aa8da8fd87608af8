//! YAML and JSON text as objects.

pub(crate) mod decode;
mod entries;
mod nearest;
mod salvage;
mod strict;

use serde_json::Value;
use std::sync::Arc;

use self::decode::Raw;
use self::entries::Entries;
use crate::kinds::Home;
use crate::{Code, Finding, Kind, Meta, ObjectRef, Severity, SourceObject};

/// The maximum number of documents in a file: each costs little, but 8 MB may hold millions.
const MOST_DOCUMENTS: usize = 50_000;

/// The namespaces of objects that name none.
#[derive(Clone, Debug)]
pub struct Namespaces {
    /// For Secrets and Gateways: that of the gateway.
    pub gateway: String,
    /// For all others.
    pub other: &'static str,
}

/// All objects of a file. A document that cannot be read is an error of the file, and does not stop the others.
#[must_use]
pub fn read(path: &str, bytes: &[u8], namespaces: &Namespaces) -> Vec<SourceObject> {
    let file = ObjectRef::file(path);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let message = format!("invalid UTF-8 at byte {}", error.valid_up_to());
            return vec![refused(file, Code::InvalidUtf8, None, message)];
        }
    };
    let mut entries = Entries::new(&file);
    let documents = documents(text);
    if documents.len() > MOST_DOCUMENTS {
        let message = format!("{} documents; the limit is {MOST_DOCUMENTS}", documents.len());
        return vec![refused(file, Code::FileTooLarge, None, message)];
    }
    for (line, document) in documents {
        match serde_saphyr::from_str::<Option<Value>>(document) {
            Ok(Some(value)) => objects(&file, value, namespaces, &mut entries),
            Ok(None) => {}
            Err(error) => {
                // Only the first line: what follows quotes the document, which may hold a key.
                let text = error.to_string();
                let reason = text.lines().next().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                let message = format!("document at line {}: {reason}", line + 1);
                entries.push(refused(file.clone(), Code::InvalidYaml, None, message));
            }
        }
    }
    entries.finish()
}

/// The documents, each with the line that it starts on; split here so that a broken one does not affect the others.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut first, mut at) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let next = at + line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if line == "---" || line.starts_with("--- ") || line == "..." {
            documents.extend(document(first, text.get(start..at)));
            (start, first) = (next, number + 1);
        }
        at = next;
    }
    documents.extend(document(first, text.get(start..)));
    documents
}

/// A document, unless it has only comments.
fn document(line: usize, text: Option<&str>) -> Option<(usize, &str)> {
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    text.filter(|text| text.lines().any(says))
        .map(|text| (line, text))
}

fn objects(file: &ObjectRef, mut value: Value, namespaces: &Namespaces, entries: &mut Entries) {
    let text = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (kind, version) = (text("kind"), text("apiVersion"));
    if kind.is_empty() || version.is_empty() {
        // An error, not a note: a file that was cut off while being written may look like this, and after a note, the
        // objects of the file would count as deleted.
        let message = "a document that is not an object: it has no kind or no apiVersion".to_owned();
        return entries.push(refused(file.clone(), Code::NotAnObject, None, message));
    }
    if kind.ends_with("List")
        && let Some(items) = value.get_mut("items").and_then(Value::as_array_mut)
    {
        // Moved, not copied: there may be Secrets among them.
        for item in std::mem::take(items) {
            objects(file, item, namespaces, entries);
        }
        return;
    }
    if kind == "List" {
        let message = "not a list".to_owned();
        return entries.push(refused(file.clone(), Code::InvalidObject, Some("items"), message));
    }
    let Some(kind) = Kind::of(&kind, &version) else {
        let name = value.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.filter(|name| is_name(name)).unwrap_or_default();
        let message = format!("Sealgate does not use {version} {kind} {name:?}");
        entries.push(SourceObject {
            object_ref: file.clone(),
            object: None,
            findings: vec![finding(
                file.clone(),
                Severity::Info,
                Code::SkippedKind,
                None,
                message,
            )],
        });
        return;
    };
    let meta = match meta(&value, kind, namespaces) {
        Ok(meta) => meta,
        Err((field, message)) => {
            decode::wipe(&mut value);
            return entries.push(refused(file.clone(), Code::InvalidObject, Some(field), message));
        }
    };
    entries.push(decode(kind, meta, value));
}

/// One object whose metadata is known; `value` holds the rest.
#[must_use]
pub fn decode(kind: Kind, meta: Meta, value: Value) -> SourceObject {
    let object_ref = ObjectRef::new(kind, Arc::clone(&meta.namespace), Arc::clone(&meta.name));
    let mut findings = Vec::new();
    let raw = Raw {
        meta,
        value,
        object_ref: &object_ref,
        findings: &mut findings,
    };
    let object = match (kind.row().decode)(raw) {
        Ok(object) => Some(object),
        Err(refusal) => {
            findings.push(*refusal);
            None
        }
    };
    SourceObject {
        object_ref,
        object,
        findings,
    }
}

/// What is wrong with an object's metadata: the field, and the reason.
type MetaError = (&'static str, String);

fn meta(value: &Value, kind: Kind, namespaces: &Namespaces) -> Result<Meta, MetaError> {
    let metadata = value
        .get("metadata")
        .ok_or_else(|| ("metadata", "there is none".to_owned()))?;
    let text = |key: &str| {
        metadata
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let name = object_name(metadata, kind).map_err(|message| ("metadata.name", message))?;
    let default = match kind.row().home {
        Home::Gateway => &namespaces.gateway,
        Home::Other => namespaces.other,
    };
    let namespace = Some(text("namespace"))
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| default.to_owned());
    if !is_name(&namespace) {
        let message = format!("the {}'s namespace {namespace:?} must {NAME_RULE}", kind.as_str());
        return Err(("metadata.namespace", message));
    }
    let strings = |key: &str| {
        let map = metadata.get(key).and_then(Value::as_object).into_iter().flatten();
        map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    };
    let created = time::OffsetDateTime::parse(
        &text("creationTimestamp"),
        &time::format_description::well_known::Rfc3339,
    );
    Ok(Meta {
        name: name.into(),
        namespace: namespace.into(),
        labels: strings("labels"),
        annotations: strings("annotations"),
        created: created.ok().map(time::OffsetDateTime::unix_timestamp),
    })
}

/// What [`is_name`] asks for.
const NAME_RULE: &str = "consist of lower-case letters, digits, `-` and `.`, start and end with a letter or digit, and have at \
                         most 253 characters";

/// An object's name. YAML reads some plain words as another type.
fn object_name(metadata: &Value, kind: Kind) -> Result<String, String> {
    let kind = kind.as_str();
    let (given, what) = match metadata.get("name") {
        None => return Err(format!("the {kind} has no name")),
        Some(Value::String(name)) if is_name(name) => return Ok(name.clone()),
        Some(Value::String(name)) => {
            return Err(format!("the {kind}'s name {name:?} must {NAME_RULE}"));
        }
        Some(Value::Array(_)) => return Err(format!("the {kind}'s name is a list, not a string")),
        Some(Value::Object(_)) => return Err(format!("the {kind}'s name is a map, not a string")),
        // The value may be written otherwise: `n` is false too.
        Some(Value::Bool(given)) => (
            given.to_string(),
            "a boolean in YAML (as are y, n, yes, no, on and off)",
        ),
        Some(Value::Number(given)) => (given.to_string(), "a number in YAML"),
        Some(Value::Null) => {
            return Err(format!(
                "the {kind}'s name is null in YAML (as are ~ and nothing at all), not a string: write it in quotes"
            ));
        }
    };
    Err(format!(
        "the {kind}'s name is `{given}`, {what}, not a string: write it in quotes"
    ))
}

/// Whether it is a subdomain as RFC 1123 defines it.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    name.len() <= 253
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(byte))
}

/// The error about something that could not be read.
#[must_use]
pub fn refused(object_ref: ObjectRef, code: Code, field: Option<&str>, message: String) -> SourceObject {
    let finding = finding(
        object_ref.clone(),
        Severity::Error,
        code,
        field.map(str::to_owned),
        message,
    );
    SourceObject {
        object_ref,
        object: None,
        findings: vec![finding],
    }
}

fn finding(
    object: ObjectRef,
    severity: Severity,
    code: Code,
    field: Option<String>,
    message: String,
) -> Finding {
    Finding {
        severity,
        code,
        object,
        field,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<SourceObject> {
        read(
            "f.yaml",
            text.as_bytes(),
            &Namespaces {
                gateway: "gw".to_owned(),
                other: "default",
            },
        )
    }

    #[test]
    fn a_broken_document_leaves_the_others_alone() {
        let entries = entries(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {tls.crt: x}\n---\na: [\n---\n\
             apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: b}\nspec: {hosts: [x], typo: 1}\n",
        );
        let codes: Vec<_> = entries
            .iter()
            .flat_map(|entry| &entry.findings)
            .map(|finding| finding.code)
            .collect();
        assert_eq!(codes, [Code::InvalidYaml, Code::UnknownField]);
        assert_eq!(entries[0].object_ref.to_string(), "Secret gw/a");
        assert_eq!(entries[2].object_ref.to_string(), "VirtualService default/b");
        assert!(entries[0].object.is_some() && entries[1].object.is_none() && entries[2].object.is_some());
    }

    #[test]
    fn a_file_says_so_much_and_no_more() {
        let codes = |text: &str| {
            let entries = entries(text);
            let findings = entries.iter().flat_map(|entry| &entry.findings);
            let mut codes: Vec<_> = findings.map(|finding| finding.code).collect();
            let count = codes.len();
            codes.dedup();
            (codes, count)
        };
        let (found, count) = codes(&"---\n".repeat(2 << 20));
        assert_eq!((found, count), (vec![], 0), "8 MB of nothing");
        let (found, count) = codes(&"---\nx\n".repeat(1 << 20));
        assert_eq!((found, count), (vec![Code::FileTooLarge], 1));
        let items = "{},".repeat(100_000);
        let list = format!(r#"{{"kind": "List", "apiVersion": "v1", "items": [{items} {{}}]}}"#);
        assert_eq!(codes(&list), (vec![Code::NotAnObject], 101));
        let many = "kind: A\napiVersion: b\n---\n".repeat(1000) + "a: [\n---\n" + SECRET;
        let (found, count) = codes(&many);
        assert_eq!((found, count), (vec![Code::SkippedKind, Code::InvalidYaml], 101));
        let last = entries(&many).pop().unwrap();
        assert!(last.findings[0].message.contains("901 more"), "{last:?}");
        assert!(entries(&many).iter().any(|entry| entry.object.is_some()));
    }

    const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";

    #[test]
    fn a_name_of_another_type_is_shown_with_its_kind() {
        let message = |name: &str| {
            let text = format!("apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{{name}}}\n");
            let entries = entries(&text);
            assert_eq!(entries[0].findings[0].field.as_deref(), Some("metadata.name"));
            entries[0].findings[0].message.clone()
        };
        let boolean = |given: &str| {
            format!(
                "the Gateway's name is `{given}`, a boolean in YAML (as are y, n, yes, no, on and off), not a string: \
                 write it in quotes"
            )
        };
        for (name, expected) in [
            ("name: true", boolean("true")),
            ("name: n", boolean("false")),
            (
                "name: 123",
                "the Gateway's name is `123`, a number in YAML, not a string: write it in quotes".to_owned(),
            ),
            (
                "name: null",
                "the Gateway's name is null in YAML (as are ~ and nothing at all), not a string: write it in quotes"
                    .to_owned(),
            ),
            ("name: [a]", "the Gateway's name is a list, not a string".to_owned()),
            ("labels: {}", "the Gateway has no name".to_owned()),
            (
                "name: A/b",
                "the Gateway's name \"A/b\" must consist of lower-case letters, digits, `-` and `.`, start and end with \
                 a letter or digit, and have at most 253 characters"
                    .to_owned(),
            ),
        ] {
            assert_eq!(message(name), expected);
        }
    }

    #[test]
    fn the_reason_of_broken_yaml_starts_with_the_line() {
        let entries = entries("a: 1\na: 2\n");
        let message = &entries[0].findings[0].message;
        let expected = "document at line 1: line 2 column 1: duplicate mapping key";
        assert!(message.starts_with(expected), "{message}");
    }

    #[test]
    fn errors_name_the_place() {
        let entries = entries(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {servers: [{port: {number: x}}]}",
        );
        assert_eq!(
            entries[0].findings[0].field.as_deref(),
            Some("spec.servers[0].port.number")
        );
    }

    #[test]
    fn bombs_duplicates_and_bad_bytes_are_errors() {
        let bomb = (0..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, at| {
            let alias = format!("*a{at},");
            format!(
                "{text}a{}: &a{} [{}]\n",
                at + 1,
                at + 1,
                alias.repeat(9).trim_end_matches(',')
            )
        });
        assert_eq!(entries(&bomb)[0].findings[0].code, Code::InvalidYaml);
        assert_eq!(
            entries("kind: Secret\nkind: Secret\n")[0].findings[0].code,
            Code::InvalidYaml
        );
        let namespaces = Namespaces {
            gateway: "gw".to_owned(),
            other: "default",
        };
        assert_eq!(
            read("f", b"\xff", &namespaces)[0].findings[0].code,
            Code::InvalidUtf8
        );
    }

    #[test]
    fn a_bad_value_of_a_secret_is_named_and_not_shown() {
        let entries =
            entries("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {tls.key: '!hush!'}\n");
        let text = format!("{entries:?}");
        assert!(text.contains("data[tls.key]") && !text.contains("hush"), "{text}");
    }
}
