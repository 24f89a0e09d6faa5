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
    leaf: u32,
    path: &'p str,
    /// The slashes in the path's first block.
    slashes: u64,
}

impl<'t, 'p> Params<'t, 'p> {
    #[inline(always)]
    pub(super) fn new(tables: &'t Tables, leaf: u32, path: &'p str, slashes: u64) -> Self {
        Self {
            tables,
            leaf,
            path,
            slashes,
        }
    }

    #[inline]
    pub(super) fn leaf(&self) -> &'t Leaf {
        self.tables.leaf(self.leaf)
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
        let mut ends = SegmentEnds::new(self.path.as_bytes(), self.slashes);
        ParamsIter {
            tables: self.tables,
            specs: self.tables.specs(self.leaf()).iter(),
            path: self.path,
            segment: 0,
            start: 0,
            end: ends.next::<Native>(),
            ends,
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
    path: &'p str,
    ends: SegmentEnds<'p>,
    /// The number of the segment `start..end`, its slash included.
    segment: u16,
    start: usize,
    end: usize,
}

impl<'t, 'p> Iterator for ParamsIter<'t, 'p> {
    type Item = (&'t str, &'p str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let spec = self.specs.next()?;
        while self.segment < spec.segment {
            self.segment += 1;
            self.start = self.end;
            self.end = self.ends.next::<Native>();
        }
        let name = spec.name as usize;
        let name = &self.tables.text[name..name + usize::from(spec.name_len)];
        Some((name, self.value(spec.value)))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.specs.size_hint()
    }
}

impl<'p> ParamsIter<'_, 'p> {
    /// A value in the current segment; empty where the path is not one that
    /// the route matches.
    #[inline]
    fn value(&self, value: ParamValue) -> &'p str {
        if let ParamValue::Whole = value {
            return self.path.get(self.start + 1..self.end).unwrap_or("");
        }
        self.part(value).unwrap_or("")
    }

    fn part(&self, value: ParamValue) -> Option<&'p str> {
        let segment = self.path.get(self.start + 1..self.end)?;
        match value {
            ParamValue::Whole => Some(segment),
            ParamValue::Within { prefix, suffix } => {
                let end = segment.len().checked_sub(suffix.into())?;
                segment.get(prefix.into()..end)
            }
            ParamValue::Rest { prefix } => self.path.get(self.start + 1 + usize::from(prefix)..),
            ParamValue::Split { index, split } => {
                let pattern = &self.tables.splits[split as usize];
                let (start, end) = pattern.captures(segment, index.into());
                segment.get(start..end)
            }
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
