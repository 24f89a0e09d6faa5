//! The parameters of a path as a serde `Deserializer`.
//!
//! Scalars, strings and enums take the only parameter there is; tuples take
//! them by position; structs and maps by name; `Vec<(K, V)>` as pairs. Which
//! error comes out of which misfit is axum's choice throughout, with two
//! additions: an `Option` is `None` where a pattern's optional parameter is
//! absent, and nothing panics.

use std::{any::type_name, slice};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

use super::{
    captures::Capture,
    rejection::{ErrorKind, FailedToDeserializePathParams},
    value::{KeyDeserializer, Place, ValueDeserializer},
};

/// The error while deserializing. Private, so that `serde::de::Error` does not
/// become part of [`ErrorKind`]'s interface.
#[derive(Debug)]
pub(super) struct DeError(pub(super) ErrorKind);

impl DeError {
    pub(super) fn unsupported<T>() -> Self {
        Self(ErrorKind::UnsupportedType {
            name: type_name::<T>(),
        })
    }
}

impl From<DeError> for FailedToDeserializePathParams {
    fn from(error: DeError) -> Self {
        Self::new(error.0)
    }
}

impl std::fmt::Display for DeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DeError {}

impl serde::de::Error for DeError {
    #[cold]
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(ErrorKind::Message(message.to_string()))
    }
}

/// Whether a tuple may be longer than the list of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// It must have just as many elements.
    Exact,
    /// The pattern ends in optional parameters: the elements that are left
    /// over become `None`, and are an error if they are no `Option`.
    TrailingOptional,
}

/// Deserializes from all the parameters of a path.
#[derive(Clone, Copy)]
pub(super) struct PathDeserializer<'de> {
    captures: &'de [Capture<'de>],
    arity: Arity,
}

impl<'de> PathDeserializer<'de> {
    pub(super) fn new(captures: &'de [Capture<'de>], arity: Arity) -> Self {
        Self { captures, arity }
    }

    /// The only parameter, for a type that takes one.
    fn only(self) -> Result<ValueDeserializer<'de>, DeError> {
        match self.captures {
            [(name, value)] => Ok(ValueDeserializer {
                name,
                value,
                place: Place::Alone,
            }),
            _ => Err(self.wrong_number(1)),
        }
    }

    #[cold]
    fn wrong_number(self, expected: usize) -> DeError {
        DeError(ErrorKind::WrongNumberOfParameters {
            got: self.captures.len(),
            expected,
        })
    }

    fn elements(self, expected: usize) -> Elements<'de> {
        Elements {
            rest: self.captures.iter(),
            index: 0,
            got: self.captures.len(),
            expected,
        }
    }
}

/// Methods that need the only parameter and are its own business.
macro_rules! by_only_value {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            self.only()?.$method(visitor)
        }
    )+};
}

macro_rules! unsupported {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
            Err(DeError::unsupported::<V::Value>())
        }
    )+};
}

impl<'de> Deserializer<'de> for PathDeserializer<'de> {
    type Error = DeError;

    by_only_value! {
        deserialize_any deserialize_bool deserialize_char
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
        deserialize_str deserialize_string deserialize_byte_buf
    }

    unsupported! { deserialize_bytes deserialize_identifier deserialize_ignored_any }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        if self.captures.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_seq(self.elements(self.captures.len()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let got = self.captures.len();
        if got == len || (got < len && self.arity == Arity::TrailingOptional) {
            visitor.visit_seq(self.elements(len))
        } else {
            Err(self.wrong_number(len))
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_map(Fields {
            rest: self.captures.iter(),
            current: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }
}

/// Parameters by position.
struct Elements<'de> {
    rest: slice::Iter<'de, Capture<'de>>,
    index: usize,
    got: usize,
    expected: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeError> {
        let index = self.index;
        self.index += 1;
        match self.rest.next() {
            Some((name, value)) => seed
                .deserialize(ValueDeserializer {
                    name,
                    value,
                    place: Place::Index(index),
                })
                .map(Some),
            None if index < self.expected => seed
                .deserialize(Absent {
                    got: self.got,
                    expected: self.expected,
                })
                .map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.expected.saturating_sub(self.index))
    }
}

/// An optional parameter that the path does not have.
struct Absent {
    got: usize,
    expected: usize,
}

impl<'de> Deserializer<'de> for Absent {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
        Err(DeError(ErrorKind::WrongNumberOfParameters {
            got: self.got,
            expected: self.expected,
        }))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        enum identifier ignored_any
    }
}

/// Parameters by name.
struct Fields<'de> {
    rest: slice::Iter<'de, Capture<'de>>,
    current: Option<&'de Capture<'de>>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeError> {
        self.current = self.rest.next();
        self.current
            .map(|(name, _)| seed.deserialize(KeyDeserializer(name)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        let (name, value) = self
            .current
            .take()
            .ok_or_else(|| DeError::custom("value is missing"))?;
        seed.deserialize(ValueDeserializer {
            name,
            value,
            place: Place::Field,
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
