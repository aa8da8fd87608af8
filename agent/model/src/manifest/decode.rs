//! One object's fields as its type.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::finding;
use super::nearest::nearest;
use super::salvage;
use super::strict::{Strangers, Strict};
use crate::{Code, Finding, Meta, ObjectRef, SecretObject, Severity};

/// What was decoded, or the finding that says why it could not be.
pub(crate) type Decoded<T> = Result<T, Box<Finding>>;

/// An object whose metadata is known, for the decoder of its kind.
pub(crate) struct Raw<'a> {
    pub(super) meta: Meta,
    /// All of it.
    pub(super) value: Value,
    pub(super) object_ref: &'a ObjectRef,
    /// Findings about it so far.
    pub(super) findings: &'a mut Vec<Finding>,
}

impl Raw<'_> {
    /// Its `spec`, empty if it is missing. Parts that cannot be read are cut, if the rest still has a meaning.
    pub(crate) fn spec<T: Clone + DeserializeOwned>(mut self) -> Decoded<(Arc<Meta>, Arc<T>)> {
        let spec = self.value.get_mut("spec").map(Value::take);
        let mut spec = spec.unwrap_or(Value::Object(Default::default()));
        let (mut cut, mut closed) = (0, 0);
        let decoded = loop {
            let mut refusal = match typed(&spec, "spec", self.object_ref, self.findings) {
                Ok(decoded) => break decoded,
                Err(refusal) => refusal,
            };
            let field = refusal.field.as_deref().unwrap_or_default();
            let kind = self.object_ref.kind;
            let is_cut = cut < salvage::MOST_CUT && salvage::cut(&mut spec, kind, field);
            let is_over = closed == salvage::MOST_CLOSED;
            if !is_cut && (is_over || !salvage::close(&mut spec, kind, &mut refusal)) {
                return Err(refusal);
            }
            closed += usize::from(!is_cut);
            cut += 1;
            self.findings.push(*refusal);
        };
        Ok((Arc::new(self.meta), decoded))
    }

    /// The object as a whole.
    pub(crate) fn whole<T: Clone + DeserializeOwned>(self) -> Decoded<(Arc<Meta>, Arc<T>)> {
        let decoded = typed(&self.value, "", self.object_ref, self.findings)?;
        Ok((Arc::new(self.meta), decoded))
    }

    /// A Secret; the text that it was read from is wiped.
    pub(crate) fn secret(mut self) -> Decoded<SecretObject> {
        let data = secret_data(&self.value, self.object_ref);
        let type_ = self.value.get("type").and_then(Value::as_str);
        let type_ = type_.filter(|type_| !type_.is_empty()).unwrap_or("Opaque");
        let type_ = type_.to_owned();
        wipe(&mut self.value);
        Ok(SecretObject {
            meta: self.meta,
            type_,
            data: data?,
        })
    }

    /// The parts of its metadata that select it.
    pub(crate) fn name_and_labels(self) -> Arc<Meta> {
        Arc::new(Meta {
            annotations: BTreeMap::new(),
            created: None,
            ..self.meta
        })
    }

    /// The error about a kind that manifests cannot have.
    pub(crate) fn no_object(self) -> Box<Finding> {
        let message = format!("a {} is no object", self.object_ref.kind.as_str());
        bad(self.object_ref, None, message)
    }
}

/// Overwrites every string in it.
pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn bad(object_ref: &ObjectRef, field: Option<String>, message: String) -> Box<Finding> {
    Box::new(finding(
        object_ref.clone(),
        Severity::Error,
        Code::InvalidObject,
        field,
        message,
    ))
}

/// Decodes it, names the place of an error, and reports unknown fields.
fn typed<T: Clone + DeserializeOwned>(
    value: &Value,
    prefix: &str,
    object_ref: &ObjectRef,
    findings: &mut Vec<Finding>,
) -> Decoded<Arc<T>> {
    let place = |path: String| match (prefix, path.as_str()) {
        ("", _) => path,
        // The value itself.
        (_, ".") => prefix.to_owned(),
        _ => format!("{prefix}.{path}"),
    };
    let mut unknown = Vec::new();
    let mut ignored = |path: serde_ignored::Path<'_>| {
        let name = match &path {
            serde_ignored::Path::Map { key, .. } => key.clone(),
            _ => String::new(),
        };
        unknown.push((place(written(&path)), name));
    };
    let strangers = Strangers::default();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(Strict(value, &strangers), &mut track);
    let result = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut ignored));
    let decoded = result.map_err(|error| {
        let field = place(track.path().to_string());
        bad(object_ref, Some(field), error.to_string())
    })?;
    // Kubernetes' standard fields are known, but not to every type here.
    for (field, name) in unknown
        .into_iter()
        .filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind" | "status"))
    {
        let near = nearest(&name, strangers.known_beside(&name));
        let hint = near.map(|near| format!("; the nearest known one is {near}"));
        let message = format!(
            "this field is not known and does nothing{}",
            hint.unwrap_or_default()
        );
        findings.push(finding(
            object_ref.clone(),
            Severity::Warning,
            Code::UnknownField,
            Some(field),
            message,
        ));
    }
    // A copy takes no more memory than it needs: collections that grow while being read do.
    Ok(Arc::new(decoded.clone()))
}

/// A place in the notation of findings: `http[0].match[1].uri`; keys that are not names are in brackets.
fn written(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", written(parent)),
        Path::Map { parent, key } => {
            let parent = written(parent);
            let is_name = key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            match (parent.is_empty(), is_name) {
                (true, _) => key.clone(),
                (false, true) => format!("{parent}.{key}"),
                (false, false) => format!("{parent}[{key}]"),
            }
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            written(parent)
        }
    }
}

/// `data` (decoded) overlaid with `stringData`.
fn secret_data(value: &Value, object_ref: &ObjectRef) -> Decoded<BTreeMap<String, Zeroizing<Vec<u8>>>> {
    let bad = |field: String, message: &str| bad(object_ref, Some(field), message.to_owned());
    let mut data = BTreeMap::new();
    for (section, encoded) in [("data", true), ("stringData", false)] {
        let Some(section_value) = value.get(section).filter(|value| !value.is_null()) else {
            continue;
        };
        let map = section_value
            .as_object()
            .ok_or_else(|| bad(section.to_owned(), "not a map"))?;
        for (key, value) in map {
            let place = format!("{section}[{key}]");
            let text = value.as_str().ok_or_else(|| bad(place.clone(), "not a string"))?;
            let bytes = if encoded {
                // Folded base64 has line breaks.
                let mut packed = Zeroizing::new(String::with_capacity(text.len()));
                text.split_ascii_whitespace()
                    .for_each(|line| packed.push_str(line));
                STANDARD
                    .decode(packed.as_bytes())
                    .map_err(|_| bad(place, "not base64"))?
            } else {
                text.as_bytes().to_vec()
            };
            data.insert(key.clone(), Zeroizing::new(bytes));
        }
    }
    Ok(data)
}
