//! The parameters of a match.
//!
//! A match does not hold its parameters. The route knows in which segment each
//! one is, and the path's slashes say where its segments are, so values are cut
//! out of the path when they are read: a look-up writes no parameter, there can
//! be any number of them, and none is ever allocated.

use core::{fmt, iter::FusedIterator};

use super::{
    slashes::{BLOCK, Native, first_ends},
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
            path: self.path,
            base: 0,
            rest: self.ends,
            start: 0,
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
    /// The ends that are still to be taken in the block that starts at `base`,
    /// which stays 0 in a path of less than a block.
    rest: u64,
    base: usize,
    /// The slash of the segment of the parameter that was read last.
    start: usize,
}

impl<'t, 'p> Iterator for ParamsIter<'t, 'p> {
    type Item = (&'t str, &'p str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let spec = self.specs.next()?;
        let value;
        if matches!(spec.value, ParamValue::Whole) && self.path.len() < BLOCK {
            let rest = drop_ends(self.rest, spec.skip);
            self.rest = rest & rest.wrapping_sub(1);
            if self.rest == 0 {
                value = nothing();
            } else {
                // SAFETY: `rest` has two bits, and `new` was given the path's
                // ends: a slash, and behind it a slash or the path's length.
                (self.start, value) = unsafe { between(self.path, rest, self.rest) };
            }
        } else {
            let at = Position {
                base: self.base,
                rest: self.rest,
                start: self.start,
            };
            let then;
            (value, then) = value_of(self.tables, self.path, at, spec);
            (self.base, self.rest, self.start) = (then.base, then.rest, then.start);
        }
        Some((self.tables.name(spec), value))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.specs.size_hint()
    }
}

/// Ends without the first `count` of them.
#[inline(always)]
fn drop_ends(mut ends: u64, count: u16) -> u64 {
    for _ in 0..count {
        ends &= ends.wrapping_sub(1);
        // A loop that can end early is not unrolled; it has a turn or two.
        if ends == 0 {
            break;
        }
    }
    ends
}

/// The position of the slash that is the first in `ends`, and the text behind
/// it, up to the first of `following`.
///
/// # Safety
/// `ends` are ends of `path`, and `following` is what is left without the first.
/// Neither is 0.
#[inline(always)]
unsafe fn between(path: &str, ends: u64, following: u64) -> (usize, &str) {
    // SAFETY: the caller says so.
    unsafe { core::hint::assert_unchecked(ends != 0 && following != 0) };
    let (start, end) = (
        ends.trailing_zeros() as usize,
        following.trailing_zeros() as usize,
    );
    // SAFETY: `start` is less than `end` and so not the path's length but a
    // slash: `start + 1` is a boundary of characters, and so is `end`.
    (start, unsafe { path.get_unchecked(start + 1..end) })
}

/// Tells the compiler that it is rare to come here.
#[cold]
fn nothing() -> &'static str {
    ""
}

/// Where a [`ParamsIter`] is; a copy, so that its own can stay in registers.
#[derive(Clone, Copy)]
struct Position {
    base: usize,
    rest: u64,
    start: usize,
}

impl Position {
    /// Goes to the next block that has ends, if all of this one are taken.
    /// False if none is left.
    fn refill(&mut self, path: &str) -> bool {
        while self.rest == 0 {
            self.base += BLOCK;
            match path.as_bytes().get(self.base..) {
                Some(block) => self.rest = first_ends::<Native>(block),
                None => return false,
            }
        }
        true
    }

    /// The next end, or the path's length. It is not taken.
    fn peek(&mut self, path: &str) -> usize {
        if self.refill(path) {
            self.base + self.rest.trailing_zeros() as usize
        } else {
            path.len()
        }
    }

    /// Takes an end and returns it.
    fn take(&mut self, path: &str) -> usize {
        let end = self.peek(path);
        self.rest &= self.rest.wrapping_sub(1);
        end
    }
}

/// [`ParamsIter::next`] for what is not a whole segment of a short path: the
/// value and the position then. The value is empty where the path is not one
/// that the route matches.
#[inline(never)]
fn value_of<'p>(
    tables: &Tables,
    path: &'p str,
    mut at: Position,
    spec: &ParamSpec,
) -> (&'p str, Position) {
    // Of several parameters in a segment the first takes its slash.
    if !matches!(spec.value, ParamValue::Split { index: 1.., .. }) {
        for _ in 0..spec.skip {
            at.take(path);
        }
        at.start = at.take(path);
    }
    let (from, end) = (at.start + 1, at.peek(path));
    let value = part_of(tables, path, from, end, spec.value).unwrap_or("");
    (value, at)
}

/// A part of the segment `from..end`, or of all that starts at `from`.
fn part_of<'p>(
    tables: &Tables,
    path: &'p str,
    from: usize,
    end: usize,
    value: ParamValue,
) -> Option<&'p str> {
    let segment = path.get(from..end)?;
    match value {
        ParamValue::Whole => Some(segment),
        ParamValue::Within { prefix, suffix } => {
            let end = segment.len().checked_sub(suffix.into())?;
            segment.get(prefix.into()..end)
        }
        ParamValue::Rest { prefix } => path.get(from + usize::from(prefix)..),
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
