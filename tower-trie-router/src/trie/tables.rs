//! A frozen trie without its values.

use alloc::{boxed::Box, sync::Arc};

use super::node::{Node, PlaceId, Switch};
use crate::pattern::SegmentPattern;

/// The arena and what stands beside it. Nothing here changes once built.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// The arena. Line 0 has no label; its own place is the root.
    pub(super) nodes: Box<[Node]>,
    /// The second level of windows of wide places.
    pub(super) switches: Box<[Switch]>,
    /// How each place is reached: two for each line, its own place first.
    pub(super) edges: Box<[Edge]>,
    /// What is known of the few places that need more than a dispatch.
    pub(super) extras: Box<[Extra]>,
    /// The ends of routes. The first leaf of route `n` is leaf `n`; further
    /// ones, of routes with optional segments, come behind those.
    pub(super) leaves: Box<[Leaf]>,
    /// The parameters of all leaves.
    pub(super) specs: Box<[ParamSpec]>,
    /// The segments whose parameters take more than an offset to find.
    pub(super) splits: Box<[Arc<SegmentPattern>]>,
    /// The text of all patterns.
    pub(super) text: Box<str>,
}

/// How a place is reached.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Edge {
    pub(super) parent: PlaceId,
    /// 0 by a static segment, else one more than the index of the alternative.
    pub(super) rank: u32,
}

/// What a dispatch has no room for.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    /// The text of the label that leads to the place, with its slash, if it is
    /// longer than its first and last words.
    pub(super) label: Box<str>,
    /// All that can follow but static children, in order of precedence. Empty
    /// if that is at most a plain parameter.
    pub(super) alternatives: Box<[Alternative]>,
}

/// One way on from a place.
#[derive(Debug, Clone)]
pub(super) struct Alternative {
    pub(super) matcher: Matcher,
    pub(super) target: Target,
}

/// What an alternative matches.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    /// A static segment that no window could take.
    Literal(Box<str>),
    /// Any segment, or for a catch-all any rest of the path, but an empty one.
    Any,
    /// A segment, or for a catch-all the rest of the path.
    Pattern(Arc<SegmentPattern>),
}

/// Where an alternative leads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Place(PlaceId),
    Leaf(u32),
}

/// The end of a route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    /// Where in `text` the pattern starts.
    pub(super) pattern: u32,
    /// The first of its parameters in `specs`.
    pub(super) specs: u32,
    /// The route that it belongs to.
    pub(super) route: u32,
    pub(super) pattern_len: u16,
    pub(super) params: u16,
}

/// Where in a path a parameter's value is.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParamSpec {
    /// Where in `text` the name starts.
    pub(super) name: u32,
    pub(super) name_len: u16,
    /// How many segments are before its own, from the path's start or behind
    /// the segment of the parameter before.
    pub(super) skip: u16,
    pub(super) value: ParamValue,
}

/// Where in its segment a parameter's value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum ParamValue {
    /// The whole segment.
    Whole,
    /// The segment without so many bytes at its start and end.
    Within { prefix: u16, suffix: u16 },
    /// The rest of the path without so many bytes at its start.
    Rest { prefix: u16 },
    /// The parameter number `index` of the segment pattern `split`.
    Split { index: u16, split: u32 },
}

impl Tables {
    #[inline]
    pub(super) fn leaf(&self, leaf: u32) -> &Leaf {
        &self.leaves[leaf as usize]
    }

    pub(super) fn pattern(&self, leaf: &Leaf) -> &str {
        let start = leaf.pattern as usize;
        &self.text[start..start + usize::from(leaf.pattern_len)]
    }

    /// The parameters of one of these tables' leaves.
    #[inline]
    pub(super) fn specs(&self, leaf: &Leaf) -> &[ParamSpec] {
        let start = leaf.specs as usize;
        let end = start + usize::from(leaf.params);
        debug_assert!(self.specs.get(start..end).is_some());
        // SAFETY: `Leaves::push` makes leaves whose range it has just written,
        // and leaves are only read from their own tables.
        unsafe { self.specs.get_unchecked(start..end) }
    }

    /// The name of one of these tables' parameters.
    #[inline]
    pub(super) fn name(&self, spec: &ParamSpec) -> &str {
        let start = spec.name as usize;
        let end = start + usize::from(spec.name_len);
        debug_assert!(self.text.get(start..end).is_some());
        // SAFETY: `Leaves::add_specs` finds the name in the text, so the range
        // is in it and starts and ends at boundaries of characters.
        unsafe { self.text.get_unchecked(start..end) }
    }

    pub(super) fn extra(&self, extra: u32) -> Option<&Extra> {
        self.extras.get((extra as usize).checked_sub(1)?)
    }
}
