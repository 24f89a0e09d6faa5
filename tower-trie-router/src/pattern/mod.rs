//! The pattern language: what a route's pattern may say, what it matches, and
//! which of two patterns comes first.
//!
//! It is told in `docs/patterns.md`, for users too. A pattern is parsed once,
//! when it is inserted; a look-up only sees the finished [`Segment`]s.
//!
//! | module | what |
//! |---|---|
//! | [`parse`] | from text to segments |
//! | [`segment`] | what a segment is, and how a path's text is matched and split |
//! | [`constraint`] | what a parameter's text must look like |
//! | [`order`] | which pattern goes first, and which conflict |
//! | [`error`] | what is wrong with a pattern, and where |
//! | [`display`] | segments written out again |
#![forbid(unsafe_code)]

mod constraint;
mod display;
mod error;
mod order;
mod parse;
mod segment;
#[cfg(test)]
mod tests;

pub use self::{
    constraint::ConstraintError,
    error::{InsertError, InsertErrorKind, InsertErrors},
};
pub(crate) use self::{
    constraint::ConstraintSet,
    order::ConflictKey,
    segment::{Segment, SegmentPattern},
};

use alloc::{boxed::Box, vec::Vec};

/// A parsed pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    source: Box<str>,
    expansions: Box<[Expansion]>,
}

impl Pattern {
    /// Parses `source`, looking constraints up in `constraints`.
    ///
    /// Takes time linear in the length of `source`, the compilation of regular
    /// expressions apart.
    pub(crate) fn parse(source: &str, constraints: &ConstraintSet) -> Result<Self, InsertError> {
        parse::parse(source, constraints)
    }

    /// The pattern as it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The names of the parameters from left to right.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<Box<str>> {
        let longest = self
            .expansions
            .last()
            .map_or(&[][..], |last| &last.segments);
        let dynamic = longest.iter().filter_map(|segment| match segment {
            Segment::Static(_) => None,
            Segment::Dynamic(pattern) => Some(pattern.names()),
        });
        dynamic.flatten().map(Into::into).collect()
    }

    /// The segment lists that this pattern stands for: one, or several where
    /// it ends in optional segments. Never empty; from short to long.
    pub(crate) fn expansions(&self) -> &[Expansion] {
        &self.expansions
    }

    /// What is wrong if the pattern comes to a builder with `constraints` from
    /// another one: one name may stand for two functions, but matchers are
    /// told apart by their text.
    pub(crate) fn clash(&self, constraints: &ConstraintSet) -> Option<InsertError> {
        let longest = &self.expansions.last()?.segments;
        let params = longest.iter().flat_map(Segment::params);
        let mut used = params.filter_map(|param| param.constraint.as_ref());
        let clash = used.find(|constraint| constraints.clashes(constraint))?;
        let name = clash.text();
        let written = alloc::format!(":{name}}}");
        let at = self.source.find(&written).map_or(0, |colon| colon + 1);
        let message = alloc::format!(
            "the constraint `{name}` stands for another function here: rename one of the two"
        );
        Some(InsertError::new(
            InsertErrorKind::ConstraintClash,
            &self.source,
            at..at + name.len(),
            message,
        ))
    }
}

/// One of the segment lists that a pattern stands for.
#[derive(Debug, Clone)]
pub(crate) struct Expansion {
    /// The segments, never empty: `/` is one empty static segment. Only the
    /// last one can be a catch-all.
    pub(crate) segments: Vec<Segment>,
}

impl Expansion {
    /// How many parameters the segments have.
    #[cfg(test)]
    pub(crate) fn param_count(&self) -> usize {
        self.segments.iter().map(Segment::param_count).sum()
    }

    /// A key that is equal for two segment lists that no order can separate.
    pub(crate) fn conflict_key(&self) -> ConflictKey {
        ConflictKey::new(self.segments.clone())
    }
}
