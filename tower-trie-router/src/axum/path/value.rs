//! One parameter as a serde `Deserializer`: its value, its name, or both as a pair.

use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, Error as _, SeqAccess, VariantAccess, Visitor},
    forward_to_deserialize_any,
};

use super::{de::DeError, rejection::ErrorKind};

/// Where in the target type a value goes, which decides how an error names it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// It is the whole target.
    Alone,
    /// The field or map entry of the parameter's name.
    Field,
    /// The element at this position.
    Index(usize),
    /// The second half of a `(name, value)` pair.
    PairValue,
}

/// The value of a parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueDeserializer<'de> {
    pub(super) name: &'de str,
    pub(super) value: &'de str,
    pub(super) place: Place,
}

impl ValueDeserializer<'_> {
    #[cold]
    fn parse_error(&self, expected_type: &'static str) -> DeError {
        let value = self.value.to_owned();
        DeError(match self.place {
            Place::Alone | Place::PairValue => ErrorKind::ParseError {
                value,
                expected_type,
            },
            Place::Field => ErrorKind::ParseErrorAtKey {
                key: self.name.to_owned(),
                value,
                expected_type,
            },
            Place::Index(index) => ErrorKind::ParseErrorAtIndex {
                index,
                value,
                expected_type,
            },
        })
    }

    /// Adds the name and the value to what the target type said of them.
    #[cold]
    fn explain(&self, error: DeError) -> DeError {
        match (error, self.place) {
            (error, Place::PairValue) => error,
            (DeError(ErrorKind::Message(message)), _) => DeError(ErrorKind::DeserializeError {
                key: self.name.to_owned(),
                value: self.value.to_owned(),
                message,
            }),
            (error, _) => error,
        }
    }
}

/// Methods that parse the text as a scalar.
macro_rules! parse {
    ($($method:ident $visit:ident $type:ty;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            match self.value.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(self.parse_error(stringify!($type))),
            }
        }
    )+};
}

macro_rules! unsupported {
    ($($method:ident($($argument:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $(_: $argument,)*
            _visitor: V,
        ) -> Result<V::Value, DeError> {
            Err(DeError::unsupported::<V::Value>())
        }
    )+};
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = DeError;

    parse! {
        deserialize_bool visit_bool bool;
        deserialize_char visit_char char;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    unsupported! {
        deserialize_map()
        deserialize_identifier()
        deserialize_seq()
        deserialize_tuple_struct(&'static str, usize)
        deserialize_struct(&'static str, &'static [&'static str])
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor
            .visit_borrowed_str(self.value)
            .map_err(|error| self.explain(error))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_string(self.value.to_owned())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_bytes(self.value.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_string(self.value.to_owned())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_some(self)
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

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match (self.place, len) {
            (Place::Index(_), 2) => visitor.visit_seq(Pair::Name(self)),
            (Place::Field, 2) => Err(DeError::custom("array types are not supported")),
            _ => Err(DeError::unsupported::<V::Value>()),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_enum(Variant(self.value))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }
}

/// The name of a parameter, or of an enum's variant.
pub(super) struct KeyDeserializer<'de>(pub(super) &'de str);

impl<'de> Deserializer<'de> for KeyDeserializer<'de> {
    type Error = DeError;

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
        Err(DeError::custom("Unexpected key type"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes
        byte_buf option unit unit_struct seq tuple tuple_struct map
        newtype_struct struct enum ignored_any
    }
}

/// A parameter as `(name, value)`: what of it is still to come.
enum Pair<'de> {
    Name(ValueDeserializer<'de>),
    Value(ValueDeserializer<'de>),
    Done,
}

impl<'de> SeqAccess<'de> for Pair<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeError> {
        match std::mem::replace(self, Self::Done) {
            Self::Name(parameter) => {
                *self = Self::Value(ValueDeserializer {
                    place: Place::PairValue,
                    ..parameter
                });
                seed.deserialize(KeyDeserializer(parameter.name)).map(Some)
            }
            Self::Value(value) => seed.deserialize(value).map(Some),
            Self::Done => Ok(None),
        }
    }
}

/// A value as the name of a unit variant.
struct Variant<'de>(&'de str);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DeError;
    type Variant = UnitOnly;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, UnitOnly), DeError> {
        Ok((seed.deserialize(KeyDeserializer(self.0))?, UnitOnly))
    }
}

/// A variant without data; a path has no place for any.
struct UnitOnly;

impl UnitOnly {
    fn refuse<T>(name: &'static str) -> Result<T, DeError> {
        Err(DeError(ErrorKind::UnsupportedType { name }))
    }
}

impl<'de> VariantAccess<'de> for UnitOnly {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, DeError> {
        Self::refuse("newtype enum variant")
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, DeError> {
        Self::refuse("tuple enum variant")
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, DeError> {
        Self::refuse("struct enum variant")
    }
}
