//! A look-up.
//!
//! The walk is greedy: at each place it takes the static child, else the plain
//! parameter. Where neither fits, [`backtrack`](super::backtrack) takes over,
//! which knows the alternatives and the way back, and returns the place from
//! which the walk goes on. So the walk itself records nothing on its way.
//!
//! A segment's label is read as two words. For a segment of eight bytes or
//! more they are its first and its last eight; for a shorter one both are the
//! eight bytes that end with it, shifted until only the segment is left. Both
//! loads end within the path, at the end of the segment; the first bytes of the
//! path, where no eight bytes end, are kept in a register (`head`).
//!
//! This module is the crate's hot path and reads the arena and the path
//! without bounds checks. It relies on what [`layout`](super::layout) builds:
//! every window lies within `nodes`, every place number but 0 names a dispatch
//! within `nodes`, and every leaf is below `leaves.len()`.

use super::{
    backtrack::{Resume, backtrack},
    node::{Dispatch, Label, NO_LEAF, NO_STATIC, Node, PlaceId, ROOT, WIDE, hash, switch},
    slashes::{BLOCK, Scan, SegmentEnds, short_word},
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

/// The leaf that `path` leads to, or [`NO_LEAF`], and the mask of the slashes
/// in the path's first block.
#[inline(always)]
pub(super) fn find<S: Scan>(tables: &Tables, path: &str, steps: &mut impl Steps) -> (u32, u64) {
    let bytes = path.as_bytes();
    let slashes = S::mask(bytes);
    if slashes & 1 == 0 {
        // Empty, or does not start with a slash.
        return (NO_LEAF, slashes);
    }
    let leaf = if bytes.len() < BLOCK {
        let ends = MaskedEnds {
            slashes,
            rest: (slashes & !1) | 1 << bytes.len(),
            len: bytes.len(),
        };
        walk(tables, path, ends, steps)
    } else {
        let ends = LongEnds::<S> {
            ends: SegmentEnds::new(bytes, slashes),
            scan: core::marker::PhantomData,
        };
        walk_long(tables, path, ends, steps)
    };
    (leaf, slashes)
}

/// Where the segments of a path end, one after the other.
trait Ends {
    /// The end of the next segment: the next slash or the path's length.
    fn next(&mut self) -> usize;
    /// Goes back or forth to the segment that starts at the slash at `start`.
    fn seek(&mut self, start: usize);
    /// By how many bits a word that ends with a segment of `len` bytes is
    /// shifted.
    fn shift(len: usize) -> u8;
}

/// The ends of a path of less than a block, from its mask alone.
struct MaskedEnds {
    slashes: u64,
    /// The slashes still to come, and one more at the path's end.
    rest: u64,
    len: usize,
}

/// `SHIFTS[len]` leaves `len` bytes of a word.
static SHIFTS: [u8; BLOCK] = {
    let mut shifts = [0; BLOCK];
    let mut len = 1;
    while len < 8 {
        shifts[len] = 64 - 8 * len as u8;
        len += 1;
    }
    shifts
};

impl Ends for MaskedEnds {
    #[inline(always)]
    fn next(&mut self) -> usize {
        let end = self.rest.trailing_zeros() as usize;
        self.rest &= self.rest.wrapping_sub(1);
        end
    }

    #[inline(always)]
    fn seek(&mut self, start: usize) {
        self.rest = (self.slashes | 1 << self.len) & (!1 << start);
    }

    #[inline(always)]
    fn shift(len: usize) -> u8 {
        SHIFTS[len % BLOCK]
    }
}

/// The ends of any path.
struct LongEnds<'p, S> {
    ends: SegmentEnds<'p>,
    scan: core::marker::PhantomData<S>,
}

impl<S: Scan> Ends for LongEnds<'_, S> {
    fn next(&mut self) -> usize {
        self.ends.next::<S>()
    }

    fn seek(&mut self, start: usize) {
        self.ends.seek::<S>(start);
    }

    fn shift(len: usize) -> u8 {
        SHIFTS[len.min(BLOCK - 1)]
    }
}

#[cold]
#[inline(never)]
fn walk_long(tables: &Tables, path: &str, ends: impl Ends, steps: &mut impl Steps) -> u32 {
    walk(tables, path, ends, steps)
}

#[inline(always)]
fn walk(tables: &Tables, path: &str, mut ends: impl Ends, steps: &mut impl Steps) -> u32 {
    let bytes = path.as_bytes();
    let arena = tables.nodes.as_ptr();
    let head = match bytes.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => short_word(bytes),
    };
    // SAFETY: `ROOT` is a place of line 0, which every arena has.
    let mut here = unsafe { dispatch(arena, ROOT) };
    let mut start = 0;
    loop {
        'onward: while start != bytes.len() {
            steps.step();
            let end = ends.next();
            let len = end - start;
            'stay: {
                if here.shift < NO_STATIC {
                    // SAFETY: `ends` yields increasing positions up to the path's length.
                    let label = unsafe { label(bytes, head, start, end, &ends) };
                    let line = here.base + hash(label.mix(), here.seed, here.shift);
                    // SAFETY: the line is in the place's window.
                    let node = unsafe { &*arena.add(line as usize) };
                    if is_child(tables, node, label, bytes, start) {
                        here = &node.own;
                        break 'stay;
                    }
                } else if here.shift == WIDE {
                    // SAFETY: as above.
                    let label = unsafe { label(bytes, head, start, end, &ends) };
                    // SAFETY: `here` is a wide place of these tables.
                    let node = unsafe { wide_child(tables, here, label) };
                    if is_child(tables, node, label, bytes, start) {
                        here = &node.own;
                        break 'stay;
                    }
                }
                if here.param == 0 || len == 1 {
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
                if at != bytes.len() {
                    ends.seek(at);
                }
            }
            Resume::Leaf(leaf) => return leaf,
            Resume::Nowhere => return NO_LEAF,
        }
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
unsafe fn label<E: Ends>(bytes: &[u8], head: u64, start: usize, end: usize, _: &E) -> Label {
    let len = end - start;
    let shift = E::shift(len) & 63;
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
    Label {
        first: first >> shift,
        last: last >> shift,
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

/// The line that a label would be in behind a wide place.
///
/// # Safety
/// `here` is a wide place of `tables`.
#[cold]
#[inline(never)]
unsafe fn wide_child<'t>(tables: &'t Tables, here: &Dispatch, label: Label) -> &'t Node {
    let mixed = label.mix();
    let at = here.base + switch(mixed, here.seed);
    // SAFETY: a wide place has `2^seed` switches from `base` on, and the line
    // that a switch gives is in its window.
    unsafe {
        let switch = tables.switches.get_unchecked(at as usize);
        tables.nodes.get_unchecked(switch.line(mixed) as usize)
    }
}

/// Whether `label`, which starts at `start` in the path, leads to `node`.
#[inline(always)]
fn is_child(tables: &Tables, node: &Node, label: Label, bytes: &[u8], start: usize) -> bool {
    node.last == label.last
        && node.first == label.first
        && usize::from(node.own.len) == label.len
        && (label.len <= 16 || has_label(tables, node, &bytes[start..start + label.len]))
}

/// Whether a label that is longer than its two words is the node's.
#[cold]
#[inline(never)]
fn has_label(tables: &Tables, node: &Node, label: &[u8]) -> bool {
    let extra = tables.extra(node.own.extra);
    extra.is_some_and(|extra| extra.label.as_bytes() == label)
}
