//! What the arena is made of.
//!
//! A [`Node`] is one cache line: the label that leads to it (its first eight
//! and last eight bytes) and two [`Dispatch`]es, one for the place behind the
//! label and one for the place behind a plain parameter that follows it. So a
//! static segment costs a look-up one line, and a parameter behind it none.
//!
//! What is always true:
//! * A static child stands in its parent's *window* `base .. base + 2^bits` at
//!   the offset that [`hash`] gives for the parent's seed and the child's
//!   label; every line of a window exists.
//! * A line that stands in a window but belongs elsewhere has a label that
//!   hashes to another offset of that window, or none. So a line at the right
//!   offset with the right label is the right child, with no look at its parent.
//! * Places are numbered by [`PlaceId`], the offset of their dispatch from the
//!   arena's start in units of eight bytes; 0 is no place, since a node starts
//!   with its label.

/// No route ends here.
pub(super) const NO_LEAF: u32 = u32::MAX;
/// [`Dispatch::shift`] of a place without static children.
pub(super) const NO_STATIC: u32 = 64;
/// [`Dispatch::shift`] of a place whose static children are found by a second
/// level of windows: `base` is the first of its entries in `switches`.
pub(super) const WIDE: u32 = 65;

/// The number of a place in the trie; see the [module's documentation](self).
pub(super) type PlaceId = u32;

/// One line of the arena.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Node {
    /// The first word of the label, 0 if there is none.
    pub(super) first: u64,
    /// The last word of the label.
    pub(super) last: u64,
    /// The place behind the label.
    pub(super) own: Dispatch,
    /// The place behind a plain parameter behind the label.
    pub(super) param: Dispatch,
}

/// Where to go from a place.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Dispatch {
    /// Multiplier of the window's hash, 0 for a single child; in a wide place
    /// the bits of the number of its switches.
    pub(super) multiplier: u64,
    /// The first line of the window.
    pub(super) base: u32,
    /// The place behind a plain parameter, 0 if there is none or if another
    /// alternative goes before it.
    pub(super) param: PlaceId,
    /// The leaf of the route that ends here, or [`NO_LEAF`].
    pub(super) leaf: u32,
    /// One more than the index of what else is known of this place, or 0, in
    /// the upper three bytes; in the lowest by how much the hash is shifted, or
    /// [`NO_STATIC`], or [`WIDE`].
    pub(super) extra_and_shift: u32,
}

const _: () = assert!(size_of::<Node>() == 64 && align_of::<Node>() == 64);
const _: () = assert!(size_of::<Dispatch>() == 24);
/// Numbers of segments are `u16`, and so are lengths of names.
pub(super) const MAX_PATTERN: usize = u16::MAX as usize;

impl Dispatch {
    pub(super) const EMPTY: Self = Self {
        multiplier: 0,
        base: 0,
        param: 0,
        leaf: NO_LEAF,
        extra_and_shift: NO_STATIC,
    };

    #[inline(always)]
    pub(super) fn shift(&self) -> u32 {
        self.extra_and_shift & 0xff
    }

    #[inline]
    pub(super) fn extra(&self) -> u32 {
        self.extra_and_shift >> 8
    }

    /// # Panics
    /// If `extra` has more than three bytes: there are 2^24 places that need one.
    pub(super) fn set_extra(&mut self, extra: u32) {
        assert!(extra < 1 << 24, "too many routes for one trie");
        self.extra_and_shift = extra << 8 | self.shift();
    }
}

impl Node {
    pub(super) const EMPTY: Self = Self {
        first: 0,
        last: 0,
        own: Dispatch::EMPTY,
        param: Dispatch::EMPTY,
    };
}

/// Which of a line's two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Own,
    Param,
}

/// The number of the place in a half of the line `node`.
pub(super) const fn place(node: u32, half: Half) -> PlaceId {
    let dispatch = match half {
        Half::Own => core::mem::offset_of!(Node, own),
        Half::Param => core::mem::offset_of!(Node, param),
    };
    node * 8 + (dispatch / 8) as u32
}

/// The line and the half of a place.
pub(super) const fn locate(place: PlaceId) -> (usize, Half) {
    let own = (core::mem::offset_of!(Node, own) / 8) as u32;
    let half = if place % 8 == own {
        Half::Own
    } else {
        Half::Param
    };
    ((place / 8) as usize, half)
}

/// The place where every look-up starts.
pub(super) const ROOT: PlaceId = place(0, Half::Own);

/// A label as the arena sees it: `/` and the text of a static segment.
///
/// `last` is the label's last eight bytes, as a little-endian number. A shorter
/// label stands at the top, with zeros below. `first` is its first eight
/// bytes, or all as in `last` if it is shorter, plus its length. As the lowest
/// byte of that sum is then the length or, from eight bytes on, the slash plus
/// the length, the two words of different labels of up to [`Label::WORDS`]
/// bytes differ, whatever NUL bytes they have, and `first` is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) len: usize,
}

impl Label {
    /// How long a label can be for its words to say all of it.
    pub(super) const WORDS: usize = 16;

    /// The label of a pattern's static segment.
    pub(super) fn new(segment: &str) -> Self {
        let text = || core::iter::once(b'/').chain(segment.bytes());
        let len = segment.len() + 1;
        let word = |skip: usize| {
            let bytes = text().skip(skip).take(8);
            bytes.fold(0, |word, byte| word >> 8 | u64::from(byte) << 56)
        };
        Self {
            first: word(0).wrapping_add(len as u64),
            last: word(len.saturating_sub(8)),
            len,
        }
    }

    /// One word of both.
    #[inline(always)]
    pub(super) fn mix(self) -> u64 {
        self.first ^ self.last.rotate_left(29)
    }
}

/// The multiplier of a seed, which has 32 bits: with the seed in both halves,
/// the low bits of a label reach the top bits of the product too. With half of
/// it, labels that differ in these alone would need windows of thousands of lines.
pub(super) fn multiplier(seed: u32) -> u64 {
    u64::from(seed) | u64::from(seed) << 32
}

/// The offset of a label in a window of `2^(64 - shift)` lines.
#[inline(always)]
pub(super) fn hash(mixed: u64, multiplier: u64, shift: u32) -> u32 {
    (mixed.wrapping_mul(multiplier) >> (shift & 63)) as u32
}

/// Which of `2^bits` switches serves a label in a wide place.
#[inline]
pub(super) fn switch(mixed: u64, bits: u32) -> u32 {
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as u32
}

/// One window of a wide place: seed, first line and shift in one word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switch(u64);

impl Switch {
    /// The number of lines that a switch can tell apart.
    pub(super) const MAX_LINES: u32 = 1 << 26;

    pub(super) fn new(seed: u32, base: u32, shift: u32) -> Self {
        debug_assert!(base < Self::MAX_LINES && shift < NO_STATIC);
        Self(u64::from(seed) | u64::from(base) << 32 | u64::from(shift) << 58)
    }

    /// The line of a child's label.
    pub(super) fn line(self, mixed: u64) -> u32 {
        let base = (self.0 >> 32) as u32 & (Self::MAX_LINES - 1);
        base + hash(mixed, multiplier(self.0 as u32), (self.0 >> 58) as u32)
    }
}
