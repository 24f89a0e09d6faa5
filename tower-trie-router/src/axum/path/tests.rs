//! What each shape of target type makes of which parameters.
//!
//! The tests of axum's own deserializer keep their names here, so that the two
//! can be compared one by one; [`beyond_axum`] holds what is this crate's own.

use std::{borrow::Cow, collections::HashMap, fmt::Debug};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    captures::Captures,
    de::{Arity, PathDeserializer},
    rejection::ErrorKind,
};

/// Deserializes from raw pairs, as a request would.
fn from_pairs<T: DeserializeOwned>(pairs: &[(&str, &str)], arity: Arity) -> Result<T, ErrorKind> {
    let mut buffer = Vec::new();
    let mut captures = Captures::new();
    pairs.iter().for_each(|pair| captures.push(*pair));
    captures.decode(0, &mut buffer).unwrap();
    T::deserialize(PathDeserializer::new(captures.as_slice(), arity)).map_err(|error| error.0)
}

#[track_caller]
fn gives<T: DeserializeOwned + PartialEq + Debug>(pairs: &[(&str, &str)], expected: T) {
    assert_eq!(from_pairs::<T>(pairs, Arity::Exact), Ok(expected));
}

#[track_caller]
fn fails<T: DeserializeOwned + Debug>(pairs: &[(&str, &str)], expected: ErrorKind) {
    assert_eq!(from_pairs::<T>(pairs, Arity::Exact).unwrap_err(), expected);
}

#[track_caller]
fn single<T: DeserializeOwned + PartialEq + Debug>(raw: &str, expected: T) {
    gives(&[("value", raw)], expected);
}

/// A text that was lent, not copied, by the deserializer.
#[derive(Debug, PartialEq)]
struct Lent(String);

impl<'de> Deserialize<'de> for Lent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&str>::deserialize(deserializer).map(|text| Self(text.to_owned()))
    }
}

fn lent(text: &str) -> Lent {
    Lent(text.to_owned())
}

#[derive(Debug, Deserialize, PartialEq, Eq, Hash)]
enum MyEnum {
    A,
    B,
    #[serde(rename = "c")]
    C,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Struct {
    c: String,
    b: bool,
    a: i32,
}

const ABC: &[(&str, &str)] = &[("a", "1"), ("b", "true"), ("c", "abc")];

#[test]
fn test_parse_single_value() {
    single("true", true);
    single("false", false);
    single("-123", -123_i8);
    single("-123", -123_i16);
    single("-123", -123_i32);
    single("-123", -123_i64);
    single("123", 123_i128);
    single("123", 123_u8);
    single("123", 123_u16);
    single("123", 123_u32);
    single("123", 123_u64);
    single("123", 123_u128);
    single("123", 123.0_f32);
    single("123", 123.0_f64);
    single("abc", "abc".to_owned());
    single("one%20two", "one two".to_owned());
    single("abc", lent("abc"));
    single("one%20two", lent("one two"));
    single("a", 'a');
    gives(&[("a", "B")], MyEnum::B);
    fails::<i32>(
        &[("a", "1"), ("b", "2")],
        ErrorKind::WrongNumberOfParameters {
            got: 2,
            expected: 1,
        },
    );
}

#[test]
fn test_parse_seq() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct TupleStruct(i32, bool, String);

    gives(ABC, (1, true, "abc".to_owned()));
    gives(ABC, TupleStruct(1, true, "abc".to_owned()));
    gives(&[("a", "1"), ("b", "2"), ("c", "3")], vec![1, 2, 3]);
    gives(&[("a", "c"), ("a", "B")], vec![MyEnum::C, MyEnum::B]);
}

#[test]
fn test_parse_seq_tuple_string_string() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    gives(
        &[("a", "foo"), ("b", "bar")],
        vec![pair("a", "foo"), pair("b", "bar")],
    );
}

#[test]
fn test_parse_seq_tuple_string_parse() {
    gives(
        &[("a", "1"), ("b", "2")],
        vec![("a".to_owned(), 1_u32), ("b".to_owned(), 2)],
    );
}

fn structured() -> Struct {
    Struct {
        c: "abc".to_owned(),
        b: true,
        a: 1,
    }
}

#[test]
fn test_parse_struct() {
    gives(ABC, structured());
}

#[test]
fn test_parse_struct_ignoring_additional_fields() {
    let mut more = ABC.to_vec();
    more.push(("d", "false"));
    gives(&more, structured());
}

#[test]
fn test_parse_map() {
    let map: HashMap<String, String> = ABC
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    gives(ABC, map);
}

#[test]
fn test_parse_tuple_too_many_fields() {
    fails::<(String, bool, u32)>(
        &[("a", "abc"), ("b", "true"), ("c", "1"), ("d", "false")],
        ErrorKind::WrongNumberOfParameters {
            got: 4,
            expected: 3,
        },
    );
}

#[test]
fn test_wrong_number_of_parameters_error() {
    fails::<(u32, u32)>(
        &[("a", "1")],
        ErrorKind::WrongNumberOfParameters {
            got: 1,
            expected: 2,
        },
    );
}

fn error_at_key() -> ErrorKind {
    ErrorKind::ParseErrorAtKey {
        key: "a".to_owned(),
        value: "false".to_owned(),
        expected_type: "u32",
    }
}

#[test]
fn test_parse_error_at_key_error() {
    #[derive(Debug, Deserialize)]
    struct Params {
        #[allow(dead_code, reason = "never made")]
        a: u32,
    }
    fails::<Params>(&[("a", "false")], error_at_key());
}

#[test]
fn test_parse_error_at_key_error_multiple() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never made")]
    struct Params {
        a: u32,
        b: u32,
    }
    fails::<Params>(&[("a", "false")], error_at_key());
}

#[test]
fn test_parse_error_at_index_error() {
    fails::<(bool, u32)>(
        &[("a", "false"), ("b", "true")],
        ErrorKind::ParseErrorAtIndex {
            index: 1,
            value: "true".to_owned(),
            expected_type: "u32",
        },
    );
}

#[test]
fn test_parse_error_error() {
    fails::<u32>(
        &[("a", "false")],
        ErrorKind::ParseError {
            value: "false".to_owned(),
            expected_type: "u32",
        },
    );
}

fn unsupported(name: &'static str) -> ErrorKind {
    ErrorKind::UnsupportedType { name }
}

#[test]
fn test_unsupported_type_error_nested_data_structure() {
    fails::<Vec<Vec<u32>>>(&[("a", "false")], unsupported("alloc::vec::Vec<u32>"));
}

#[test]
fn test_parse_seq_tuple_unsupported_key_type() {
    fails::<Vec<(u32, String)>>(
        &[("a", "false")],
        ErrorKind::Message("Unexpected key type".to_owned()),
    );
}

#[test]
fn test_parse_seq_wrong_tuple_length() {
    fails::<Vec<(String, String, String)>>(
        &[("a", "false")],
        unsupported("(alloc::string::String, alloc::string::String, alloc::string::String)"),
    );
}

#[test]
fn test_parse_seq_seq() {
    fails::<Vec<Vec<String>>>(
        &[("a", "false")],
        unsupported("alloc::vec::Vec<alloc::string::String>"),
    );
}

#[test]
fn test_deserialize_key_value() {
    fails::<uuid::Uuid>(
        &[("id", "123123-123-123123")],
        ErrorKind::DeserializeError {
            key: "id".to_owned(),
            value: "123123-123-123123".to_owned(),
            message: "UUID parsing failed: invalid group count: expected 5, found 3".to_owned(),
        },
    );
}

mod beyond_axum {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(u64);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Unit;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Page {
        id: Id,
        page: Option<u32>,
        #[serde(default)]
        size: u8,
    }

    #[test]
    fn newtypes_units_and_the_extremes_of_numbers() {
        single("7", Id(7));
        single("anything", ());
        single("anything", Unit);
        single(&i128::MIN.to_string(), i128::MIN);
        single(&u128::MAX.to_string(), u128::MAX);
        single("%C3%A9", 'é');
        gives(&[("a", "7"), ("b", "8")], (Id(7), Some(8_u8)));
        gives::<Vec<u8>>(&[], vec![]);
        gives::<HashMap<String, u8>>(&[], HashMap::new());
        gives::<()>(ABC, ());
    }

    #[test]
    fn numbers_out_of_range_say_their_type() {
        fails::<u8>(
            &[("a", "256")],
            ErrorKind::ParseError {
                value: "256".to_owned(),
                expected_type: "u8",
            },
        );
        fails::<char>(
            &[("a", "ab")],
            ErrorKind::ParseError {
                value: "ab".to_owned(),
                expected_type: "char",
            },
        );
    }

    #[test]
    fn an_absent_optional_parameter_is_none() {
        gives::<Option<u32>>(&[], None);
        gives(&[("page", "3")], Some(3_u32));
        gives(
            &[("id", "1")],
            Page {
                id: Id(1),
                page: None,
                size: 0,
            },
        );
        gives(
            &[("id", "1"), ("page", "2"), ("size", "3")],
            Page {
                id: Id(1),
                page: Some(2),
                size: 3,
            },
        );
        type Trail = (String, Option<Id>, Option<u32>);
        let trailing = |pairs: &[_]| from_pairs::<Trail>(pairs, Arity::TrailingOptional);
        let a = || "x".to_owned();
        assert_eq!(trailing(&[("a", "x")]), Ok((a(), None, None)));
        assert_eq!(
            trailing(&[("a", "x"), ("b", "5")]),
            Ok((a(), Some(Id(5)), None))
        );
        assert_eq!(
            trailing(&[("a", "x"), ("b", "5"), ("c", "6")]),
            Ok((a(), Some(Id(5)), Some(6)))
        );
    }

    #[test]
    fn an_absent_parameter_that_is_no_option_is_counted() {
        let error = from_pairs::<(u8, u8)>(&[("a", "1")], Arity::TrailingOptional);
        let expected = ErrorKind::WrongNumberOfParameters {
            got: 1,
            expected: 2,
        };
        assert_eq!(error, Err(expected.clone()));
        let error = from_pairs::<(u8, Option<u8>)>(&[("a", "1")], Arity::Exact);
        assert_eq!(error, Err(expected));
    }

    #[test]
    fn a_pair_in_a_pair_is_refused_not_a_panic() {
        fails::<Vec<(String, (String, String))>>(
            &[("a", "b")],
            unsupported("(alloc::string::String, alloc::string::String)"),
        );
    }

    #[test]
    fn enums_take_unit_variants_only() {
        #[derive(Debug, Deserialize)]
        enum Data {
            #[allow(dead_code, reason = "never made")]
            Newtype(u8),
            #[allow(dead_code, reason = "never made")]
            Tuple(u8, u8),
            #[allow(dead_code, reason = "never made")]
            Struct { field: u8 },
        }
        for (variant, name) in [
            ("Newtype", "newtype enum variant"),
            ("Tuple", "tuple enum variant"),
            ("Struct", "struct enum variant"),
        ] {
            fails::<Data>(&[("a", variant)], unsupported(name));
        }
        fails::<MyEnum>(
            &[("a", "Z")],
            ErrorKind::Message("unknown variant `Z`, expected one of `A`, `B`, `c`".to_owned()),
        );
        let map = HashMap::from([("kind".to_owned(), MyEnum::A)]);
        gives(&[("kind", "A")], map);
    }

    #[test]
    fn flattened_structs_see_every_parameter() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Inner {
            b: String,
        }
        #[derive(Debug, Deserialize, PartialEq)]
        struct Outer {
            a: String,
            #[serde(flatten)]
            inner: Inner,
            #[serde(flatten)]
            rest: HashMap<String, String>,
        }
        let outer: Outer = from_pairs(ABC, Arity::Exact).unwrap();
        assert_eq!((&*outer.a, &*outer.inner.b), ("1", "true"));
        assert_eq!(outer.rest["c"], "abc");
    }

    #[test]
    fn bytes_are_borrowed_as_elements() {
        #[derive(Debug, PartialEq)]
        struct Bytes(Vec<u8>);

        impl<'de> Deserialize<'de> for Bytes {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                <&[u8]>::deserialize(from).map(|bytes| Self(bytes.to_owned()))
            }
        }
        gives(&[("a", "%C3%A9")], vec![Bytes("é".into())]);
        gives(&[("a", "x%00")], vec![Cow::Borrowed("x\0")]);
    }
}
