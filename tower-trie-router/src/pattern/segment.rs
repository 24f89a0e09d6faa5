//! One segment of a pattern, and how a path's text is matched against it.

use alloc::{boxed::Box, sync::Arc};

use super::constraint::Constraint;

/// What stands between two slashes of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Segment {
    /// Text without a parameter, unescaped; empty in `/` and at the end of `/a/`.
    Static(Box<str>),
    /// Anything with a parameter, catch-alls included.
    Dynamic(Arc<SegmentPattern>),
}

impl Segment {
    /// How many parameters the segment has.
    #[cfg(test)]
    pub(crate) fn param_count(&self) -> usize {
        self.params().len()
    }

    pub(super) fn params(&self) -> &[Param] {
        match self {
            Self::Static(_) => &[],
            Self::Dynamic(pattern) => &pattern.params,
        }
    }
}

/// A segment with at least one parameter.
///
/// The text is `prefix`, then for each parameter its value and the literal
/// behind it. All literals but the prefix and the last are non-empty. A
/// catch-all is the only parameter and has no literal behind it.
#[derive(Debug, Clone)]
pub(crate) struct SegmentPattern {
    pub(super) prefix: Box<str>,
    pub(super) params: Box<[Param]>,
    pub(super) catch_all: bool,
}

/// A parameter and the literal that follows it in its segment.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub(super) name: Box<str>,
    pub(super) constraint: Option<Constraint>,
    pub(super) literal: Box<str>,
}

impl SegmentPattern {
    /// Whether this is `{x}` or `{*x}`: no literal, no constraint.
    fn is_bare(&self) -> bool {
        matches!(&*self.params, [only] if only.constraint.is_none() && only.literal.is_empty())
            && self.prefix.is_empty()
    }

    /// Whether this is just `{x}`.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_bare() && !self.catch_all
    }

    /// Whether the parameter takes the whole rest of the path.
    pub(crate) fn is_catch_all(&self) -> bool {
        self.catch_all
    }

    /// Whether this is just `{*x}`.
    pub(crate) fn is_plain_catch_all(&self) -> bool {
        self.is_bare() && self.catch_all
    }

    /// The literal in front of the first parameter.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The literal behind the last parameter.
    pub(crate) fn suffix(&self) -> &str {
        self.params.last().map_or("", |last| &last.literal)
    }

    /// How many parameters the segment has: at least one.
    pub(crate) fn param_count(&self) -> usize {
        self.params.len()
    }

    /// The names of the parameters from left to right.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.params.iter().map(|param| &*param.name)
    }

    /// Whether `text` matches: a path's segment without its slashes, or for a
    /// catch-all everything behind the slash.
    ///
    /// Takes time linear in `text`, the constraints' own time apart, and does
    /// not allocate.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.split(text, |index, start, end| {
            let constraint = self.params[index].constraint.as_ref();
            constraint.is_none_or(|constraint| constraint.accepts(&text[start..end]))
        })
    }

    /// The byte range in `text` of the parameter number `index`, given that
    /// `text` [`matches`](Self::matches); otherwise an empty range.
    ///
    /// Takes time linear in `text` and does not allocate.
    pub(crate) fn captures(&self, text: &str, index: usize) -> (usize, usize) {
        let mut range = (0, 0);
        self.split(text, |at, start, end| {
            if at == index {
                range = (start, end);
            }
            at > index
        });
        range
    }

    /// Splits `text` at the literals and calls `visit` with the number, the
    /// start and the end of each parameter, from right to left, until it
    /// returns false. Whether it came to the end.
    ///
    /// Placing each literal, from the right, as far right as it goes gives
    /// every literal the last place it can have in any split; so the first
    /// parameter is as long as it can be, then the second, and so on. That is
    /// what a backtracking matcher would find, without backtracking.
    fn split(&self, text: &str, mut visit: impl FnMut(usize, usize, usize) -> bool) -> bool {
        let start = self.prefix.len();
        let (prefix, suffix) = (&*self.prefix, self.suffix());
        // Empty literals are not compared: a call of `memcmp` for nothing, at
        // the address of an empty slice, can be slow.
        let body = match text.get(start..) {
            Some(body) if prefix.is_empty() || text.starts_with(prefix) => body,
            _ => return false,
        };
        let body = match body.len().checked_sub(suffix.len()) {
            Some(end) if suffix.is_empty() || body.ends_with(suffix) => &body[..end],
            _ => return false,
        };
        let mut end = body.len();
        for index in (1..self.params.len()).rev() {
            let literal = &*self.params[index - 1].literal;
            let Some(last) = body[..end].chars().next_back() else {
                return false;
            };
            let Some(at) = rfind(&body[..end - last.len_utf8()], literal) else {
                return false;
            };
            if !visit(index, start + at + literal.len(), start + end) {
                return false;
            }
            end = at;
        }
        end > 0 && visit(0, start, start + end)
    }
}

/// The last place of `literal` in `text`.
fn rfind(text: &str, literal: &str) -> Option<usize> {
    match literal.as_bytes() {
        [byte] => text.as_bytes().iter().rposition(|other| other == byte),
        _ => text.rfind(literal),
    }
}
