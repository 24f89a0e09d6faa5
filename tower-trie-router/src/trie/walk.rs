//! A look-up.
//!
//! The walk is greedy: at each place it takes the static child, else the plain
//! parameter. Where neither fits, [`backtrack`](super::backtrack) takes over,
//! which knows the alternatives and the way back, and returns the place from
//! which the walk goes on. So the walk itself records nothing on its way.
//!
//! A segment's label is read as two words. For a segment of eight bytes or
//! more they are its first and its last eight; for a shorter one both are the
//! eight bytes that end with it, of which only its own are kept. Both loads end
//! within the path, at the end of the segment; the first bytes of the path,
//! where no eight bytes end, are kept in a register (`head`).
//!
//! This module is the crate's hot path and reads the arena and the path
//! without bounds checks. It relies on what [`layout`](super::layout) builds:
//! every window lies within `nodes`, every place number but 0 names a dispatch
//! within `nodes`, and every leaf is below `leaves.len()`.

use core::marker::PhantomData;

use super::{
    backtrack::{Resume, backtrack},
    node::{Dispatch, Label, NO_LEAF, NO_STATIC, Node, PlaceId, ROOT, WIDE, hash, switch},
    slashes::{BLOCK, Native, Scan, SegmentEnds, first_ends, short_word},
    tables::Tables,
};

/// Counts what a look-up does, for tests.
pub(super) trait Steps {
    /// A segment was looked at in one place of the trie.
    fn step(&mut self);
}

/// Counts nothing.
#[derive(Debug)]
pub(super) struct Uncounted;

impl Steps for Uncounted {
    #[inline(always)]
    fn step(&mut self) {}
}

impl Steps for usize {
    fn step(&mut self) {
        *self += 1;
    }
}

/// The leaf that `path` leads to, or [`NO_LEAF`], and the path's
/// [`first_ends`].
#[inline(always)]
pub(super) fn find<S: Scan>(tables: &Tables, path: &str, steps: &mut impl Steps) -> (u32, u64) {
    let bytes = path.as_bytes();
    if bytes.len() >= BLOCK {
        return find_long::<S>(tables, path, steps);
    }
    let ends = first_ends::<S>(bytes);
    if ends & 1 == 0 {
        return (NO_LEAF, ends);
    }
    (
        walk(tables, path, MaskedEnds { rest: ends & !1 }, steps),
        ends,
    )
}

/// [`find`] for paths that one mask does not cover.
#[cold]
#[inline(never)]
fn find_long<S: Scan>(tables: &Tables, path: &str, steps: &mut impl Steps) -> (u32, u64) {
    let bytes = path.as_bytes();
    let ends = first_ends::<S>(bytes);
    if ends & 1 == 0 {
        return (NO_LEAF, ends);
    }
    let mut long = LongEnds::<S> {
        // SAFETY: these are the path's ends, and the first is at 0.
        ends: unsafe { SegmentEnds::new(path, ends) },
        len: bytes.len(),
        scan: PhantomData,
    };
    long.next();
    (walk(tables, path, long, steps), ends)
}

/// Where the segments of a path end, one after the other.
trait Ends {
    /// Whether `start`, which was yielded last, is the path's length.
    fn are_done(&self, start: usize) -> bool;
    /// The end of the next segment: the next slash or the path's length.
    fn next(&mut self) -> usize;
    /// Goes back or forth to the segment that starts at `start`, which is a
    /// slash or the path's length.
    fn seek(&mut self, path: &[u8], start: usize);
    /// Keeps the top `len` bytes of a word, or all eight.
    fn mask(len: usize) -> u64;
}

/// The ends of a path of less than a block, as a mask.
struct MaskedEnds {
    /// The ends still to come.
    rest: u64,
}

/// `TOP_BYTES[len]` keeps the top `len` bytes of a word, or all eight.
const TOP_BYTES: [u64; BLOCK] = {
    let mut masks = [!0; BLOCK];
    masks[0] = 0;
    let mut len = 1;
    while len < 8 {
        masks[len] = !0 << (64 - 8 * len);
        len += 1;
    }
    masks
};

impl Ends for MaskedEnds {
    #[inline(always)]
    fn are_done(&self, _: usize) -> bool {
        self.rest == 0
    }

    #[inline(always)]
    fn next(&mut self) -> usize {
        debug_assert!(self.rest != 0);
        // SAFETY: `walk` asks for no end once all are taken.
        unsafe { core::hint::assert_unchecked(self.rest != 0) };
        let end = self.rest.trailing_zeros() as usize;
        self.rest &= self.rest.wrapping_sub(1);
        end
    }

    fn seek(&mut self, path: &[u8], start: usize) {
        self.rest = first_ends::<Native>(path) & (!1 << start);
    }

    #[inline(always)]
    fn mask(len: usize) -> u64 {
        debug_assert!(len < BLOCK);
        // SAFETY: the path has fewer than `BLOCK` bytes, so its segments have.
        unsafe { *TOP_BYTES.get_unchecked(len) }
    }
}

/// The ends of any path.
struct LongEnds<'p, S> {
    ends: SegmentEnds<'p>,
    len: usize,
    scan: PhantomData<S>,
}

impl<S: Scan> Ends for LongEnds<'_, S> {
    fn are_done(&self, start: usize) -> bool {
        start == self.len
    }

    fn next(&mut self) -> usize {
        let end = self.ends.current();
        self.ends.advance::<S>();
        end
    }

    fn seek(&mut self, _: &[u8], start: usize) {
        self.ends.seek_behind::<S>(start);
    }

    fn mask(len: usize) -> u64 {
        TOP_BYTES[len.min(BLOCK - 1)]
    }
}

#[inline(always)]
fn walk<E: Ends>(tables: &Tables, path: &str, mut ends: E, steps: &mut impl Steps) -> u32 {
    let bytes = path.as_bytes();
    let arena = tables.nodes.as_ptr();
    let head = head(bytes);
    // SAFETY: `ROOT` is a place of line 0, which every arena has.
    let mut here = unsafe { dispatch(arena, ROOT) };
    let mut start = 0;
    loop {
        'onward: while !ends.are_done(start) {
            steps.step();
            let end = ends.next();
            'stay: {
                if here.shift() < NO_STATIC {
                    // SAFETY: `ends` yields increasing positions up to the path's length.
                    let label = unsafe { label::<E>(bytes, head, start, end) };
                    let line = here.base + hash(label.mix(), here.multiplier, here.shift());
                    // SAFETY: the line is in the place's window.
                    let node = unsafe { &*arena.add(line as usize) };
                    if is_child(tables, node, label, path, start) {
                        here = &node.own;
                        break 'stay;
                    }
                } else if here.shift() == WIDE {
                    // SAFETY: as above.
                    let child = unsafe { wide_child::<E>(tables, here, path, start, end) };
                    if let Some(child) = child {
                        here = child;
                        break 'stay;
                    }
                }
                if here.param == 0 || end - start == 1 {
                    break 'onward;
                }
                // SAFETY: a parameter that is not 0 is a place.
                here = unsafe { dispatch(arena, here.param) };
            }
            start = end;
        }
        if start == bytes.len() && here.leaf != NO_LEAF {
            return here.leaf;
        }
        match backtrack(tables, path, place_of(arena, here), start, steps) {
            Resume::At { place, start: at } => {
                // SAFETY: alternatives lead to places.
                here = unsafe { dispatch(arena, place) };
                start = at;
                ends.seek(bytes, at);
            }
            Resume::Leaf(leaf) => return leaf,
            Resume::Nowhere => return NO_LEAF,
        }
    }
}

/// The first eight bytes of a path, or as many as it has.
#[inline(always)]
fn head(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => short_word(bytes),
    }
}

/// The dispatch of a place.
///
/// # Safety
/// `place` is the root, or a number that the tables of `arena` hold for a place.
#[inline(always)]
unsafe fn dispatch<'t>(arena: *const Node, place: PlaceId) -> &'t Dispatch {
    // SAFETY: the number of a place is the offset of its dispatch in units of
    // eight bytes, and its line is within the arena.
    unsafe { &*arena.cast::<u64>().add(place as usize).cast::<Dispatch>() }
}

/// The number of the place whose dispatch is `here`.
#[inline(always)]
fn place_of(arena: *const Node, here: &Dispatch) -> PlaceId {
    ((core::ptr::from_ref(here).addr() - arena.addr()) / 8) as PlaceId
}

/// The label of the segment `start..end`.
///
/// # Safety
/// `start < end <= bytes.len()`, and `head` is the path's first eight bytes.
#[inline(always)]
unsafe fn label<E: Ends>(bytes: &[u8], head: u64, start: usize, end: usize) -> Label {
    let len = end - start;
    let (first, last) = if end >= 8 {
        // The first word of a segment of fewer than eight bytes is its last.
        let from = if len < 8 { end - 8 } else { start };
        // SAFETY: `end - 8` is not negative here, and both words end at or
        // before `end`: `from + 8` is `end`, or at most `start + len`.
        unsafe { (word(bytes, from), word(bytes, end - 8)) }
    } else {
        // `start < end < 8`, so `head` has the whole segment.
        let word = head << (64 - 8 * end);
        (word, word)
    };
    let mask = E::mask(len);
    Label {
        first: (first & mask).wrapping_add(len as u64),
        last: last & mask,
        len,
    }
}

/// Eight bytes of the path.
///
/// # Safety
/// `at + 8 <= bytes.len()`.
#[inline(always)]
unsafe fn word(bytes: &[u8], at: usize) -> u64 {
    debug_assert!(at + 8 <= bytes.len());
    // SAFETY: the caller says that the eight bytes are within the slice; the
    // load needs no alignment.
    u64::from_le(unsafe { bytes.as_ptr().add(at).cast::<u64>().read_unaligned() })
}

/// The static child of a wide place that the segment `start..end` leads to.
///
/// # Safety
/// As for [`label`].
#[inline(never)]
unsafe fn wide_child<'t, E: Ends>(
    tables: &'t Tables,
    here: &Dispatch,
    path: &str,
    start: usize,
    end: usize,
) -> Option<&'t Dispatch> {
    // SAFETY: the caller's.
    let label = unsafe { label::<E>(path.as_bytes(), head(path.as_bytes()), start, end) };
    let mixed = label.mix();
    let at = here.base + switch(mixed, here.multiplier as u32);
    let node = &tables.nodes[tables.switches[at as usize].line(mixed) as usize];
    is_child(tables, node, label, path, start).then_some(&node.own)
}

/// Whether `label`, which starts at `start` in the path, is the node's.
#[inline(always)]
fn is_child(tables: &Tables, node: &Node, label: Label, path: &str, start: usize) -> bool {
    node.last == label.last
        && node.first == label.first
        && (label.len <= Label::WORDS || has_label(tables, node, path, start, label.len))
}

/// Whether a label that is longer than its two words is the node's.
#[cold]
#[inline(never)]
fn has_label(tables: &Tables, node: &Node, path: &str, start: usize, len: usize) -> bool {
    let extra = tables.extra(node.own.extra());
    extra.is_some_and(|extra| path.as_bytes()[start..start + len] == *extra.label.as_bytes())
}
