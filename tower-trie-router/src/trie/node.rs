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
pub(super) const NO_STATIC: u8 = 64;
/// [`Dispatch::shift`] of a place whose static children are found by a second
/// level of windows: `base` is the first of `2^seed` entries in `switches`.
pub(super) const WIDE: u8 = 65;

/// The number of a place in the trie; see the [module's documentation](self).
pub(super) type PlaceId = u32;

/// One line of the arena.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Node {
    /// The label's first eight bytes.
    pub(super) first: u64,
    /// The label's last eight bytes.
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
    /// Multiplier of the window's hash; 0 for a single child.
    pub(super) seed: u32,
    /// The first line of the window.
    pub(super) base: u32,
    /// The place behind a plain parameter, 0 if there is none or if another
    /// alternative goes before it.
    pub(super) param: PlaceId,
    /// The leaf of the route that ends here, or [`NO_LEAF`].
    pub(super) leaf: u32,
    /// One more than the index of what else is known of this place, or 0.
    pub(super) extra: u32,
    /// The length of the label with its slash, 0 in a line without a label.
    pub(super) len: u16,
    /// By how much the hash is shifted, or [`NO_STATIC`], or [`WIDE`].
    pub(super) shift: u8,
    pub(super) _unused: u8,
}

const _: () = assert!(size_of::<Node>() == 64 && align_of::<Node>() == 64);
const _: () = assert!(size_of::<Dispatch>() == 24);
/// Lengths of labels are `u16`, and so are numbers of segments.
pub(super) const MAX_PATTERN: usize = u16::MAX as usize;

impl Dispatch {
    pub(super) const EMPTY: Self = Self {
        seed: 0,
        base: 0,
        param: 0,
        leaf: NO_LEAF,
        extra: 0,
        len: 0,
        shift: NO_STATIC,
        _unused: 0,
    };
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
/// The words are read as little-endian numbers, so the first byte is the
/// lowest. A label of up to eight bytes has both words equal, padded with
/// zeros at the top; `len` keeps labels that end in NUL bytes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) len: usize,
}

impl Label {
    /// The label of a pattern's static segment.
    pub(super) fn new(segment: &str) -> Self {
        let text = || core::iter::once(b'/').chain(segment.bytes());
        let len = segment.len() + 1;
        let word = |skip: usize| {
            let bytes = text().skip(skip).take(8).enumerate();
            bytes.fold(0, |word, (at, byte)| word | u64::from(byte) << (8 * at))
        };
        Self {
            first: word(0),
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

/// The offset of a label in a window of `2^(64 - shift)` lines.
#[inline(always)]
pub(super) fn hash(mixed: u64, seed: u32, shift: u8) -> u32 {
    // With the seed in both halves of the multiplier, the low bits of a label
    // reach the top bits of the product too; with half of it, labels that
    // differ in these alone would need windows of thousands of lines.
    let multiplier = u64::from(seed) | u64::from(seed) << 32;
    (mixed.wrapping_mul(multiplier) >> (shift & 63)) as u32
}

/// Which of `2^bits` switches serves a label in a wide place.
#[inline(always)]
pub(super) fn switch(mixed: u64, bits: u32) -> u32 {
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as u32
}

/// One window of a wide place: seed, first line and shift in one word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switch(u64);

impl Switch {
    /// The number of lines that a switch can tell apart.
    pub(super) const MAX_LINES: u32 = 1 << 26;

    pub(super) fn new(seed: u32, base: u32, shift: u8) -> Self {
        debug_assert!(base < Self::MAX_LINES && shift < NO_STATIC);
        Self(u64::from(seed) | u64::from(base) << 32 | u64::from(shift) << 58)
    }

    #[inline(always)]
    pub(super) fn line(self, mixed: u64) -> u32 {
        let base = (self.0 >> 32) as u32 & (Self::MAX_LINES - 1);
        base + hash(mixed, self.0 as u32, (self.0 >> 58) as u8)
    }
}
