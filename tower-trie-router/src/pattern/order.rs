//! The total order of patterns: which one wins where several match a path.
//!
//! The rules and their numbers are those of `docs/patterns.md`. The eighth, by
//! the text of constraints, makes the order total, so that a search through the
//! trie's places meets the patterns in this order; it separates no conflict.

use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

use super::{
    constraint::Constraint,
    segment::{Param, Segment, SegmentPattern},
};

impl SegmentPattern {
    /// Whether both match the same texts and split them alike: equal but for
    /// the names of their parameters.
    #[cfg(test)]
    pub(crate) fn same_matcher(&self, other: &Self) -> bool {
        self == other
    }

    /// The first seven rules.
    fn conflict_cmp(&self, other: &Self) -> Ordering {
        self.rank()
            .cmp(&other.rank())
            .then_with(|| self.constraint_ranks().cmp(other.constraint_ranks()))
            .then_with(|| self.literals().cmp(other.literals()))
    }

    fn rank(&self) -> impl Ord + use<> {
        let kind = match (self.is_plain(), self.is_plain_catch_all()) {
            (false, false) => 0_u8,
            (true, _) => 1,
            (_, true) => 2,
        };
        let literals: usize = self.literals().map(str::len).sum();
        (
            kind,
            Reverse(self.prefix().len()),
            self.is_catch_all(),
            Reverse(self.suffix().len()),
            Reverse(literals),
            Reverse(self.param_count()),
        )
    }

    fn literals(&self) -> impl Iterator<Item = &str> {
        let behind = self.params.iter().map(|param| &*param.literal);
        core::iter::once(self.prefix()).chain(behind)
    }

    fn constraint_ranks(&self) -> impl Iterator<Item = u8> {
        let rank = |param: &Param| param.constraint.as_ref().map(Constraint::rank);
        self.params
            .iter()
            .map(move |param| rank(param).unwrap_or(Constraint::NO_RANK))
    }

    fn constraint_texts(&self) -> impl Iterator<Item = &str> {
        self.params
            .iter()
            .filter_map(|param| Some(param.constraint.as_ref()?.text()))
    }
}

/// Less goes first.
impl Ord for SegmentPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.conflict_cmp(other)
            .then_with(|| self.constraint_texts().cmp(other.constraint_texts()))
    }
}

impl PartialOrd for SegmentPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SegmentPattern {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SegmentPattern {}

impl Segment {
    fn cmp_by(
        &self,
        other: &Self,
        by: impl Fn(&SegmentPattern, &SegmentPattern) -> Ordering,
    ) -> Ordering {
        match (self, other) {
            (Self::Static(a), Self::Static(b)) => a.cmp(b),
            (Self::Static(_), Self::Dynamic(_)) => Ordering::Less,
            (Self::Dynamic(_), Self::Static(_)) => Ordering::Greater,
            (Self::Dynamic(a), Self::Dynamic(b)) => by(a, b),
        }
    }
}

/// Less goes first.
impl Ord for Segment {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_by(other, SegmentPattern::cmp)
    }
}

impl PartialOrd for Segment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Segment {}

/// What two segment lists have in common that no order can separate.
#[derive(Debug, Clone)]
pub(crate) struct ConflictKey(Vec<Segment>);

impl ConflictKey {
    pub(super) fn new(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl Ord for ConflictKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let mut pairs = self.0.iter().zip(&other.0);
        pairs
            .find_map(|(a, b)| {
                let order = a.cmp_by(b, SegmentPattern::conflict_cmp);
                order.is_ne().then_some(order)
            })
            .unwrap_or_else(|| self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for ConflictKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ConflictKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ConflictKey {}
