//! What a parameter's text must look like: built-in types, functions that the
//! user registered, regular expressions.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, btree_map::Entry},
    string::String,
    sync::Arc,
};
use core::fmt;

/// A predicate over the raw text of a parameter.
type Accept = dyn Fn(&str) -> bool + Send + Sync;

/// A built-in constraint and its name.
type Typed = (&'static str, fn(&str) -> bool);

/// The built-in constraints from narrow to wide: the index is the rank.
///
/// A numeric or `bool` constraint accepts exactly what the `FromStr` of the
/// Rust type of that name accepts, so that a handler which parses the
/// parameter into this type cannot fail.
const TYPED: &[Typed] = &[
    ("bool", |text| text.parse::<bool>().is_ok()),
    ("uuid", is_uuid),
    ("u8", |text| text.parse::<u8>().is_ok()),
    ("i8", |text| text.parse::<i8>().is_ok()),
    ("u16", |text| text.parse::<u16>().is_ok()),
    ("i16", |text| text.parse::<i16>().is_ok()),
    ("u32", |text| text.parse::<u32>().is_ok()),
    ("i32", |text| text.parse::<i32>().is_ok()),
    ("usize", |text| text.parse::<usize>().is_ok()),
    ("u64", |text| text.parse::<u64>().is_ok()),
    ("isize", |text| text.parse::<isize>().is_ok()),
    ("i64", |text| text.parse::<i64>().is_ok()),
    ("u128", |text| text.parse::<u128>().is_ok()),
    ("i128", |text| text.parse::<i128>().is_ok()),
    ("digit", |text| all(text, |byte| byte.is_ascii_digit())),
    ("f32", |text| text.parse::<f32>().is_ok()),
    ("f64", |text| text.parse::<f64>().is_ok()),
    ("hex", |text| all(text, |byte| byte.is_ascii_hexdigit())),
    ("lower", |text| all(text, |byte| byte.is_ascii_lowercase())),
    ("upper", |text| all(text, |byte| byte.is_ascii_uppercase())),
    ("alpha", |text| all(text, |byte| byte.is_ascii_alphabetic())),
    ("alnum", |text| {
        all(text, |byte| byte.is_ascii_alphanumeric())
    }),
];

fn all(text: &str, accept: impl Fn(&u8) -> bool) -> bool {
    text.as_bytes().iter().all(accept)
}

/// The hyphenated form of RFC 9562 §4, in either case.
fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The constraints that a pattern may name: the built-in ones and those that
/// were registered.
#[derive(Clone, Default)]
pub(crate) struct ConstraintSet {
    custom: BTreeMap<Box<str>, Arc<Accept>>,
}

impl ConstraintSet {
    /// Makes `name` usable as `{param:name}`.
    pub(crate) fn register(
        &mut self,
        name: &str,
        accept: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), ConstraintError> {
        if !is_identifier(name) {
            return Err(ConstraintError::InvalidName { name: name.into() });
        }
        if typed(name).is_some() {
            return Err(ConstraintError::BuiltIn { name: name.into() });
        }
        match self.custom.entry(name.into()) {
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(accept));
                Ok(())
            }
            Entry::Occupied(_) => Err(ConstraintError::Duplicate { name: name.into() }),
        }
    }

    /// Takes over those constraints of `other` whose names are free here.
    ///
    /// Names that stand for two functions have to be ruled out before; see
    /// [`Pattern::clash`](super::Pattern::clash).
    pub(crate) fn add_missing(&mut self, other: &Self) {
        for (name, accept) in &other.custom {
            let entry = self.custom.entry(name.clone());
            entry.or_insert_with(|| Arc::clone(accept));
        }
    }

    /// Whether `constraint` was registered under a name that stands for
    /// another function here.
    pub(super) fn clashes(&self, constraint: &Constraint) -> bool {
        let Constraint::Custom(name, theirs) = constraint else {
            return false;
        };
        let ours = self.custom.get(name);
        ours.is_some_and(|ours| !Arc::ptr_eq(ours, theirs))
    }

    /// Every name, the built-in ones first, separated by commas.
    pub(super) fn known(&self) -> String {
        let mut known = String::new();
        for name in self.names() {
            if !known.is_empty() {
                known.push_str(", ");
            }
            known.push_str(name);
        }
        known
    }

    /// The constraint of that name.
    pub(super) fn get(&self, name: &str) -> Option<Constraint> {
        if let Some(rank) = typed(name) {
            return Some(Constraint::Typed(rank));
        }
        let (name, accept) = self.custom.get_key_value(name)?;
        Some(Constraint::Custom(name.clone(), Arc::clone(accept)))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let custom = self.custom.keys().map(|name| &**name);
        TYPED.iter().map(|(name, _)| *name).chain(custom)
    }
}

impl fmt::Debug for ConstraintSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The rank of the built-in constraint of that name.
fn typed(name: &str) -> Option<u8> {
    let at = TYPED.iter().position(|(typed, _)| *typed == name)?;
    u8::try_from(at).ok()
}

/// Whether `text` is a name rather than a regular expression.
pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A constraint in a pattern.
#[derive(Clone)]
pub(super) enum Constraint {
    /// An index into [`TYPED`].
    Typed(u8),
    /// A registered function and its name.
    Custom(Box<str>, Arc<Accept>),
    /// A regular expression as it was written, and what decides.
    #[cfg(feature = "regex")]
    Regex(Box<str>, regex::Regex),
}

impl Constraint {
    /// The rank of a parameter without a constraint.
    pub(super) const NO_RANK: u8 = u8::MAX;

    /// Compiles a regular expression that has to match a whole piece. The
    /// error is what is wrong with it.
    #[cfg(feature = "regex")]
    pub(super) fn regex(source: &str) -> Result<Self, String> {
        // The source alone goes first: `a)|(b` must not pass in brackets.
        let compile = |text: &str| {
            regex::Regex::new(text).map_err(|error| {
                let error = alloc::format!("{error}");
                let last = error.lines().last().unwrap_or_default();
                String::from(last.trim_start_matches("error: "))
            })
        };
        compile(source)?;
        let whole = compile(&alloc::format!(r"\A(?:{source})\z"))?;
        Ok(Self::Regex(source.into(), whole))
    }

    /// Whether the constraint accepts `text`.
    pub(super) fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Typed(rank) => (TYPED[usize::from(*rank)].1)(text),
            Self::Custom(_, accept) => accept(text),
            #[cfg(feature = "regex")]
            Self::Regex(_, regex) => regex.is_match(text),
        }
    }

    /// Lower is narrower and goes first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Typed(rank) => *rank,
            Self::Custom(..) => Self::NO_RANK - 2,
            #[cfg(feature = "regex")]
            Self::Regex(..) => Self::NO_RANK - 1,
        }
    }

    /// What stands behind the colon.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Typed(rank) => TYPED[usize::from(*rank)].0,
            Self::Custom(name, _) => name,
            #[cfg(feature = "regex")]
            Self::Regex(source, _) => source,
        }
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Why a constraint could not be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConstraintError {
    /// The name is not an identifier of ASCII letters, digits and `_`, and so
    /// would be read as a regular expression.
    InvalidName {
        /// The name that was given.
        name: String,
    },
    /// The name is one of the built-in constraints.
    BuiltIn {
        /// The name that was given.
        name: String,
    },
    /// The name already stands for another function.
    Duplicate {
        /// The name that was given.
        name: String,
    },
}

impl fmt::Display for ConstraintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName { name } => write!(
                f,
                "`{name}` cannot name a constraint: use ASCII letters, digits and `_`, \
                 not starting with a digit"
            ),
            Self::BuiltIn { name } => write!(
                f,
                "the constraint `{name}` is built in: choose another name"
            ),
            Self::Duplicate { name } => write!(
                f,
                "the constraint `{name}` is registered already, for another function: \
                 choose another name"
            ),
        }
    }
}

impl core::error::Error for ConstraintError {}
