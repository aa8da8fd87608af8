//! Finds the line of a field in a manifest: findings name fields, and people look for lines.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A step of a path into a document.
#[derive(Debug, PartialEq, Eq)]
enum FieldStep {
    Key(String),
    At(usize),
}

/// The line of a field, from 1; if the field is missing, that of its nearest parent. Examples of fields are
/// `spec.http[0].match[1].uri` and `data[tls.key]`. None if the document cannot be read.
#[must_use]
pub fn line_of(document: &str, field: &str) -> Option<u64> {
    let steps = steps(field);
    // A missing field has its parent's line.
    (0..=steps.len()).rev().find_map(|depth| {
        let seed = FieldPath(steps.get(..depth)?);
        serde_saphyr::with_deserializer_from_str(document, |deserializer| seed.deserialize(deserializer))
            .ok()
            .flatten()
    })
}

fn steps(field: &str) -> Vec<FieldStep> {
    let mut steps = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some((inner, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            steps.push(match inner.parse() {
                Ok(at) => FieldStep::At(at),
                Err(_) => FieldStep::Key(inner.to_owned()),
            });
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            steps.push(FieldStep::Key(key.to_owned()));
            rest = after;
        }
    }
    steps
}

/// The rest of a field's path. Deserializes to the line of the field.
#[derive(Clone, Copy)]
struct FieldPath<'s>(&'s [FieldStep]);

impl<'de> DeserializeSeed<'de> for FieldPath<'_> {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u64>, D::Error> {
        if self.0.is_empty() {
            let here = Spanned::<IgnoredAny>::deserialize(deserializer)?;
            return Ok(Some(here.referenced.line()));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldPath<'_> {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<u64>, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match self.0.split_first() {
                Some((FieldStep::Key(own), [])) if *own == key.value => {
                    // The key's line: the value may start on the next one.
                    map.next_value::<IgnoredAny>()?;
                    found = Some(key.referenced.line());
                }
                Some((FieldStep::Key(own), rest)) if *own == key.value => {
                    found = map.next_value_seed(FieldPath(rest))?
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<u64>, A::Error> {
        let (mut found, mut at) = (None, 0);
        loop {
            let is_it = matches!(self.0.first(), Some(FieldStep::At(own)) if *own == at);
            let rest = FieldPath(self.0.get(1..).unwrap_or_default());
            if is_it {
                match list.next_element_seed(rest)? {
                    Some(line) => found = line,
                    None => return Ok(found),
                }
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: v1
kind: VirtualService
spec:
  hosts: [a]
  http:
    - name: one
      route: []
    - match:
        - uri: { prefix: /a }
        - headers:
            x-a: { exact: b }
      route:
        - destination:
            host: c
data:
  tls.key: x
";

    #[test]
    fn a_field_has_a_line_and_what_is_missing_that_of_its_parent() {
        for (field, line) in [
            ("spec.hosts", 4),
            ("spec.hosts[0]", 4),
            ("spec.http[0]", 6),
            ("spec.http[1].match[0].uri.prefix", 9),
            ("spec.http[1].match[1].headers[x-a]", 11),
            ("spec.http[1].route[0].destination", 13),
            ("spec.http[1].route[0].destination.port", 13),
            ("spec.http[7]", 5),
            ("data[tls.key]", 16),
            ("", 1),
        ] {
            assert_eq!(line_of(TEXT, field), Some(line), "{field}");
        }
        assert_eq!(line_of("a: [", "a"), None);
    }
}
