//! Decodes a struct only from a map. By default, serde also accepts a list, as the struct's fields in order: `spec: []`
//! would be an empty spec, and `port: [443]` a port. Unknown fields of structs are noted, with the known ones.

use std::cell::RefCell;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// Fields that structs do not know, each with those that its struct does.
#[derive(Default)]
pub(super) struct Strangers(RefCell<Vec<(String, &'static [&'static str])>>);

impl Strangers {
    /// The known fields of the structs in which this one is unknown.
    pub(super) fn known_beside(&self, name: &str) -> Vec<&'static str> {
        let strangers = self.0.borrow();
        let beside = strangers.iter().filter(|(own, _)| own == name);
        beside.flat_map(|(_, fields)| fields.iter().copied()).collect()
    }
}

/// See the module.
pub(super) struct Strict<'v, 's>(pub(super) &'v Value, pub(super) &'s Strangers);

impl<'de> Deserializer<'de> for Strict<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self(value, strangers) = self;
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| Self(item, strangers));
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), Self(value, strangers)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.is_array() {
            return Err(Error::invalid_type(Unexpected::Seq, &visitor));
        }
        let names = self.0.as_object().into_iter().flat_map(|fields| fields.keys());
        for name in names.filter(|name| !known.contains(&name.as_str())) {
            self.1.0.borrow_mut().push((name.clone(), known));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Strict<'de, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
