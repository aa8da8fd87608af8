//! JSON as plain types, with the place of whatever cannot be read. Every struct is strict: a key that it does not know is an
//! error, for one that is overlooked might be a condition. A list is never taken for a struct. What others make of YAML on the way
//! is understood: a whole number may be written as `443.0`, and the word `off` as `false`.

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

/// What cannot be read, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// `routing.virtualServices[0].spec.hosts`; empty for the whole.
    pub place: String,
    /// For people.
    pub reason: String,
}

/// Reads a value that lies at `place`.
///
/// # Errors
/// The first thing that the type has no room for.
pub fn read<T: DeserializeOwned>(value: &Value, place: &str) -> Result<T, Misread> {
    let place = &Steps::Root(place);
    T::deserialize(Reader { value, place }).map_err(Misplaced::into_misread)
}

/// The keys of an object that lies at `place`; one that is not there has none.
///
/// # Errors
/// It is no object, or has other keys than these.
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
    /// Says so of a place.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

/// From where the value lies to what is being read of it.
enum Steps<'p> {
    Root(&'p str),
    Field(&'p Steps<'p>, &'p str),
    Item(&'p Steps<'p>, usize),
}

impl Steps<'_> {
    /// As findings write places: names follow a dot, all other keys stand in brackets.
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

/// An error on its way from the place where it was found.
#[derive(Debug)]
struct Misplaced {
    place: Option<String>,
    reason: String,
}

impl Misplaced {
    /// Unless it is known already, it was found here.
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
            // Its items would be taken for the fields, in order.
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
            // So `kubectl` reads it.
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
