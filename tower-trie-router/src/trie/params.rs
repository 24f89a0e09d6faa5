//! The parameters of a match.
//!
//! A match does not hold its parameters. The route knows in which segment each
//! one is, and the path's slashes say where its segments are, so values are cut
//! out of the path when they are read: a look-up writes no parameter, there can
//! be any number of them, and none is ever allocated.

use core::{fmt, iter::FusedIterator};

use super::{
    slashes::{Native, SegmentEnds},
    tables::{Leaf, ParamSpec, ParamValue, Tables},
};

/// The parameters of a path under the route that it matches: names and values
/// from left to right.
///
/// Values are slices of the path, still percent-encoded. Nothing is allocated.
#[derive(Clone, Copy)]
pub struct Params<'t, 'p> {
    tables: &'t Tables,
    /// One of the tables' leaves.
    leaf: u32,
    path: &'p str,
    /// The path's [`first_ends`](super::slashes::first_ends).
    ends: u64,
}

impl<'t, 'p> Params<'t, 'p> {
    /// The parameters of `path`, which has the
    /// [`first_ends`](super::slashes::first_ends) `ends`.
    ///
    /// # Safety
    /// `leaf` is one of the tables' leaves, and `ends` belongs to `path` and is
    /// not 0.
    #[inline(always)]
    pub(super) unsafe fn new(tables: &'t Tables, leaf: u32, path: &'p str, ends: u64) -> Self {
        Self {
            tables,
            leaf,
            path,
            ends,
        }
    }

    #[inline]
    fn leaf(&self) -> &'t Leaf {
        debug_assert!((self.leaf as usize) < self.tables.leaves.len());
        // SAFETY: `new` was given one of the tables' leaves.
        unsafe { self.tables.leaves.get_unchecked(self.leaf as usize) }
    }

    /// The leaf's number.
    #[inline]
    pub(super) fn leaf_number(&self) -> u32 {
        self.leaf
    }

    /// The pattern of the route.
    #[inline]
    pub(super) fn pattern(&self) -> &'t str {
        self.tables.pattern(self.leaf())
    }

    /// The value of the parameter `name`, still percent-encoded, if the route
    /// has such a parameter and it is not an optional one that is absent.
    ///
    /// Takes time linear in the number of parameters and in the path's length.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'p str> {
        self.iter()
            .find_map(|(other, value)| (other == name).then_some(value))
    }

    /// How many parameters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.leaf().params)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values from left to right. Takes time linear in the path's
    /// length in all.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> ParamsIter<'t, 'p> {
        ParamsIter {
            tables: self.tables,
            specs: self.tables.specs(self.leaf()).iter(),
            // SAFETY: `new` was given the path's ends.
            ends: unsafe { SegmentEnds::new(self.path, self.ends) },
        }
    }
}

impl fmt::Debug for Params<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'t, 'p> IntoIterator for Params<'t, 'p> {
    type Item = (&'t str, &'p str);
    type IntoIter = ParamsIter<'t, 'p>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'t, 'p> IntoIterator for &Params<'t, 'p> {
    type Item = (&'t str, &'p str);
    type IntoIter = ParamsIter<'t, 'p>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The names and values of [`Params`], from left to right.
#[derive(Clone)]
pub struct ParamsIter<'t, 'p> {
    tables: &'t Tables,
    specs: core::slice::Iter<'t, ParamSpec>,
    /// At the slash of the segment of the parameter that was read last.
    ends: SegmentEnds<'p>,
}

impl<'t, 'p> Iterator for ParamsIter<'t, 'p> {
    type Item = (&'t str, &'p str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let spec = self.specs.next()?;
        let segment = self.ends.segment_behind::<Native>(spec.skip);
        let value = match spec.value {
            ParamValue::Whole => segment,
            part => part_of(self.tables, self.ends, part).unwrap_or(""),
        };
        Some((self.tables.name(spec), value))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.specs.size_hint()
    }
}

/// A part of the current segment, or of the rest of the path. None where the
/// path is not one that the route matches.
#[inline(never)]
fn part_of<'p>(tables: &Tables, ends: SegmentEnds<'p>, value: ParamValue) -> Option<&'p str> {
    let segment = ends.segment::<Native>();
    match value {
        ParamValue::Whole => Some(segment),
        ParamValue::Within { prefix, suffix } => {
            let end = segment.len().checked_sub(suffix.into())?;
            segment.get(prefix.into()..end)
        }
        ParamValue::Rest { prefix } => ends.rest().get(prefix.into()..),
        ParamValue::Split { index, split } => {
            let pattern = &tables.splits[split as usize];
            let (start, end) = pattern.captures(segment, index.into());
            segment.get(start..end)
        }
    }
}

impl ExactSizeIterator for ParamsIter<'_, '_> {}
impl FusedIterator for ParamsIter<'_, '_> {}

impl fmt::Debug for ParamsIter<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
