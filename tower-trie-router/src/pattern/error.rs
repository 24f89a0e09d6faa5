//! Why a pattern was refused, with a finger on the place.

use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};
use core::{
    fmt::{self, Write as _},
    ops::Range,
};

/// Why a pattern was refused.
///
/// `Display` says what is wrong, then shows the pattern with the place
/// underlined:
///
/// ```text
/// the parameters `{a}` and `{b}` touch: put literal text between them
///   /x/{a}{b}
///      ^^^^^^
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertError {
    // Boxed, so that the `Ok` side of a `Result` stays small.
    inner: Box<Inner>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: InsertErrorKind,
    message: String,
    pattern: String,
    span: Range<usize>,
    conflict: Option<String>,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InsertErrorKind {
    /// The pattern does not start with `/`.
    MissingSlash,
    /// A `{` has no `}`.
    UnclosedBrace,
    /// A `}` has no `{`.
    UnopenedBrace,
    /// A parameter has no name.
    EmptyName,
    /// A parameter's name has a character that names cannot have.
    InvalidName,
    /// Two parameters have the same name.
    DuplicateName,
    /// Two parameters have no literal between them.
    AdjacentParameters,
    /// A catch-all is not the end of the pattern, or shares its segment with
    /// another parameter.
    MisplacedCatchAll,
    /// An optional parameter is not a whole segment, or a segment that is not
    /// optional comes after it.
    MisplacedOptional,
    /// The pattern has more optional segments than are allowed.
    TooManyOptional,
    /// No constraint has that name.
    UnknownConstraint,
    /// A constraint is empty, or a regular expression that does not compile.
    InvalidConstraint,
    /// A regular expression, but the crate was built without the feature
    /// `regex`.
    RegexDisabled,
    /// A constraint of a pattern from another builder has the name of a
    /// different one in this builder.
    ConstraintClash,
    /// Another pattern matches the same paths and no order separates the two.
    Conflict,
    /// The pattern, or all patterns together, need more room than there is.
    TooLarge,
}

impl InsertError {
    pub(crate) fn new(
        kind: InsertErrorKind,
        pattern: &str,
        span: Range<usize>,
        message: impl AsRef<str>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.as_ref().chars().flat_map(visible).collect(),
                pattern: pattern.to_owned(),
                span,
                conflict: None,
            }),
        }
    }

    /// `pattern` matches the same paths as `other`, which is there already.
    pub(crate) fn conflict(pattern: &str, other: &str) -> Self {
        let message = if pattern == other {
            alloc::format!("`{pattern}` is there already")
        } else {
            alloc::format!(
                "`{pattern}` conflicts with `{other}`: both match the same paths \
                 and no order separates them"
            )
        };
        let span = difference(pattern, other);
        let mut error = Self::new(InsertErrorKind::Conflict, pattern, span, message);
        error.inner.conflict = Some(other.to_owned());
        error
    }

    /// What is wrong.
    pub fn kind(&self) -> InsertErrorKind {
        self.inner.kind
    }

    /// The pattern that was refused.
    pub fn pattern(&self) -> &str {
        &self.inner.pattern
    }

    /// The place in the pattern, in bytes. Empty only if the pattern is.
    pub fn span(&self) -> Range<usize> {
        self.inner.span.clone()
    }

    /// The pattern that was there before, if the two conflict.
    pub fn conflict_with(&self) -> Option<&str> {
        self.inner.conflict.as_deref()
    }

    /// What is wrong, without the picture: one line.
    pub fn message(&self) -> &str {
        &self.inner.message
    }
}

/// A line break in a pattern would tear the picture apart.
fn visible(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = match c.is_control() {
        false => (Some(c), None),
        true => (None, Some(c.escape_default())),
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// The segments of `pattern` that differ from `other`; all of it if none do.
fn difference(pattern: &str, other: &str) -> Range<usize> {
    let (a, b) = (pattern.as_bytes(), other.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let slash = |at: &usize| a.get(*at) == Some(&b'/');
    let start = (0..same).rev().find(slash).map_or(0, |slash| slash + 1);
    let same = a[start..].iter().rev();
    let same = same.zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let end = (a.len() - same..a.len()).find(slash).unwrap_or(a.len());
    if start < end && pattern != other {
        start..end
    } else {
        0..a.len()
    }
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, span, .. } = &*self.inner;
        write!(f, "{message}\n  ")?;
        let (mut before, mut under) = (0, 0);
        for (at, c) in self.inner.pattern.char_indices() {
            visible(c).try_for_each(|c| f.write_char(c))?;
            let width = visible(c).count();
            if at < span.start {
                before += width;
            } else if at < span.end {
                under += width;
            }
        }
        let under = under.max(1);
        write!(f, "\n  {:before$}{:^<under$}", "", "")
    }
}

impl core::error::Error for InsertError {}

/// Every pattern that was refused in one go: at least one.
///
/// The builder calls that take many patterns at once report all that is wrong
/// with them, not the first only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertErrors {
    errors: Vec<InsertError>,
}

impl InsertErrors {
    /// `Err` with the errors unless there are none.
    pub(crate) fn check(errors: Vec<InsertError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self { errors })
        }
    }

    /// The errors in the order of the patterns.
    pub fn iter(&self) -> core::slice::Iter<'_, InsertError> {
        self.errors.iter()
    }
}

impl AsRef<[InsertError]> for InsertErrors {
    fn as_ref(&self) -> &[InsertError] {
        &self.errors
    }
}

impl From<InsertError> for InsertErrors {
    fn from(error: InsertError) -> Self {
        let errors = alloc::vec![error];
        Self { errors }
    }
}

impl IntoIterator for InsertErrors {
    type Item = InsertError;
    type IntoIter = alloc::vec::IntoIter<InsertError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<'a> IntoIterator for &'a InsertErrors {
    type Item = &'a InsertError;
    type IntoIter = core::slice::Iter<'a, InsertError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for InsertErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.iter().enumerate() {
            if at > 0 {
                f.write_char('\n')?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for InsertErrors {}
