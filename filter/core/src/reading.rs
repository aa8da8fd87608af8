//! Reads JSON into types, with the place of anything that cannot be read. Structs are strict: an unknown key is an
//! error, because an ignored one might be a condition. A list is never read as a struct. Conversions from YAML by other
//! programs are accepted: a whole number may be `443.0`, and the word `off` may be `false`.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Number, Value};

const OFF: &str = "off";
/// Above this, a `f64` skips whole numbers.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Something that cannot be read, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// `routing.virtualServices[0].spec.hosts`; empty for the whole.
    pub place: String,
    /// The message.
    pub reason: String,
}

/// Reads a value at `place`.
///
/// # Errors
/// The first part that does not fit the type.
pub fn read<T: DeserializeOwned>(value: &Value, place: &str) -> Result<T, Misread> {
    let place = &Steps::Root(place);
    T::deserialize(Reader { value, place }).map_err(Misplaced::into_misread)
}

/// The keys of an object at `place`; a missing one has none.
///
/// # Errors
/// It is not an object, or has keys other than these.
pub fn keys<'v>(
    value: Option<&'v Value>,
    place: &str,
    known: &[&str],
) -> Result<Option<&'v Map<String, Value>>, Misread> {
    let fields = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(Misread::new(place, "an object is expected")),
    };
    let place = Steps::Root(place);
    no_stranger(fields, known, &place).map_err(Misplaced::into_misread)?;
    Ok(Some(fields))
}

impl Misread {
    /// An error at a place.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

/// The path from the value to the part that is being read.
enum Steps<'p> {
    Root(&'p str),
    Field(&'p Steps<'p>, &'p str),
    Item(&'p Steps<'p>, usize),
}

impl Steps<'_> {
    /// In the notation of findings: names follow a dot, and all other keys are in brackets.
    fn write(&self, place: &mut String) {
        match self {
            Self::Root(root) => place.push_str(root),
            Self::Field(parent, key) => {
                parent.write(place);
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if place.is_empty() {
                    place.push_str(key);
                } else if !key.is_empty() && key.bytes().all(is_name) {
                    place.push('.');
                    place.push_str(key);
                } else {
                    bracket(key, place);
                }
            }
            Self::Item(parent, at) => {
                parent.write(place);
                bracket(&at.to_string(), place);
            }
        }
    }
}

fn bracket(key: &str, place: &mut String) {
    place.push('[');
    place.push_str(key);
    place.push(']');
}

/// An error, with the place where it was found once that is known.
#[derive(Debug)]
struct Misplaced {
    place: Option<String>,
    reason: String,
}

impl Misplaced {
    /// Sets the place, unless it is already known.
    fn at(mut self, steps: &Steps<'_>) -> Self {
        if self.place.is_none() {
            let mut place = String::new();
            steps.write(&mut place);
            self.place = Some(place);
        }
        self
    }

    fn into_misread(self) -> Misread {
        Misread::new(self.place.unwrap_or_default(), self.reason)
    }
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Misplaced {}

impl Error for Misplaced {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self {
            place: None,
            reason: reason.to_string(),
        }
    }
}

fn no_stranger(fields: &Map<String, Value>, known: &[&str], place: &Steps<'_>) -> Result<(), Misplaced> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let reason = format!("this key is not known; the known ones are {}", known.join(", "));
            Err(Misplaced::custom(reason).at(&Steps::Field(place, key)))
        }
    }
}

struct Reader<'v, 'p> {
    value: &'v Value,
    place: &'p Steps<'p>,
}

impl Reader<'_, '_> {
    fn unexpected(&self) -> Unexpected<'_> {
        match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(_) => Unexpected::Other("number"),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }
}

fn number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Misplaced> {
    if let Some(whole) = number.as_u64() {
        return visitor.visit_u64(whole);
    }
    if let Some(whole) = number.as_i64() {
        return visitor.visit_i64(whole);
    }
    let real = number.as_f64().unwrap_or(f64::NAN);
    if real.fract() == 0.0 && real.abs() < LARGEST_EXACT {
        visitor.visit_i64(real as i64)
    } else {
        visitor.visit_f64(real)
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Misplaced;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misplaced> {
        let Self { value, place } = self;
        let read = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(value) => number(value, visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items {
                items: items.iter().enumerate(),
                place,
            }),
            Value::Object(fields) => visitor.visit_map(ObjectFields {
                fields: fields.iter(),
                next: None,
                place,
            }),
        };
        read.map_err(|error| error.at(place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misplaced> {
        if self.value.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misplaced> {
        match self.value {
            Value::Object(fields) => no_stranger(fields, known, self.place)?,
            // Its items would be read as the fields, in order.
            Value::Array(_) => {
                return Err(Misplaced::invalid_type(self.unexpected(), &visitor).at(self.place));
            }
            _ => {}
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misplaced> {
        let word = match self.value {
            Value::String(word) => Ok(word.as_str()),
            // This is how `kubectl` reads it.
            Value::Bool(false) if words.contains(&OFF) => Ok(OFF),
            _ => Err(Misplaced::invalid_type(self.unexpected(), &"a word")),
        };
        let read = word.and_then(|word| {
            let word: StrDeserializer<'_, Misplaced> = word.into_deserializer();
            visitor.visit_enum(word)
        });
        read.map_err(|error| error.at(self.place))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misplaced> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'v, 'p> {
    items: std::iter::Enumerate<std::slice::Iter<'v, Value>>,
    place: &'p Steps<'p>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Misplaced;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misplaced> {
        let Some((at, value)) = self.items.next() else {
            return Ok(None);
        };
        let place = &Steps::Item(self.place, at);
        seed.deserialize(Reader { value, place }).map(Some)
    }
}

struct ObjectFields<'v, 'p> {
    fields: serde_json::map::Iter<'v>,
    next: Option<(&'v str, &'v Value)>,
    place: &'p Steps<'p>,
}

impl<'de> MapAccess<'de> for ObjectFields<'de, '_> {
    type Error = Misplaced;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misplaced> {
        let Some((key, value)) = self.fields.next() else {
            return Ok(None);
        };
        self.next = Some((key, value));
        let key: StrDeserializer<'_, Misplaced> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misplaced> {
        let Some((key, value)) = self.next.take() else {
            return Err(Misplaced::custom("a value without a key"));
        };
        let place = &Steps::Field(self.place, key);
        seed.deserialize(Reader { value, place })
    }
}

#[cfg(test)]
#[path = "reading/tests.rs"]
mod tests;
