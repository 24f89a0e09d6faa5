//! The way on where the greedy walk has none.
//!
//! The alternatives of a place, in order of precedence, are its static
//! children, then what its extra lists, or its plain parameter if it has no
//! such list. [`backtrack`] goes on with the first that fits and has not been
//! tried; where a place has none left it goes back to the place before, found
//! by its edge, and to the slash before, found in the path. Together with the
//! walk this is a depth-first search that needs no stack and no memory. Each
//! place is entered at most once a look-up, because a trie is a tree and a
//! place's depth fixes its segment. So a look-up takes at most as many steps as
//! the trie has places, and no more than one for each segment of the path where
//! no place on the way has two alternatives that fit.
#![forbid(unsafe_code)]

use core::cmp::Ordering;

use super::{
    node::{Dispatch, Half, PlaceId, ROOT, locate},
    slashes::{BLOCK, Native, first_ends},
    tables::{Alternative, Matcher, Tables, Target},
    walk::Steps,
};

/// Where a look-up goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resume {
    /// With the walk, from a place that the path reaches at `start`, which is
    /// a slash or the path's end.
    At { place: PlaceId, start: usize },
    /// Nowhere: the leaf of a catch-all matches.
    Leaf(u32),
    /// Nowhere: nothing matches.
    Nowhere,
}

/// Goes on from `place`, which the path reaches at `start`: at the path's end
/// no route ends there, or before it neither a static child fits nor a
/// parameter that the place lists as its first alternative.
#[cold]
#[inline(never)]
pub(super) fn backtrack(
    tables: &Tables,
    path: &str,
    mut place: PlaceId,
    mut start: usize,
    steps: &mut impl Steps,
) -> Resume {
    let path = Path::new(path);
    // How many alternatives of `place` have been tried, static children apart.
    let mut tried = 0;
    loop {
        let (line, half) = locate(place);
        if start < path.text.len() {
            steps.step();
            let node = &tables.nodes[line];
            let here = match half {
                Half::Own => &node.own,
                Half::Param => &node.param,
            };
            if let Some(resume) = alternative(tables, path, here, start, tried) {
                return resume;
            }
        }
        if place == ROOT {
            return Resume::Nowhere;
        }
        let edge = tables.edges[2 * line + usize::from(half == Half::Param)];
        place = edge.parent;
        tried = edge.rank as usize;
        start = path.slash_before(start);
    }
}

/// The first alternative of a place that fits and has not been tried.
#[inline]
fn alternative(
    tables: &Tables,
    path: Path<'_>,
    here: &Dispatch,
    start: usize,
    tried: usize,
) -> Option<Resume> {
    match tables.extra(here.extra()) {
        Some(extra) if !extra.alternatives.is_empty() => {
            listed(&extra.alternatives, path, start, tried)
        }
        // A plain parameter is all there is, if there is one.
        _ if here.param == 0 || tried > 0 => None,
        _ => {
            let end = path.end_behind(start);
            (end > start + 1).then_some(Resume::At {
                place: here.param,
                start: end,
            })
        }
    }
}

/// The first alternative in a list that fits and has not been tried.
fn listed(all: &[Alternative], path: Path<'_>, start: usize, tried: usize) -> Option<Resume> {
    let rest = &path.text[start + 1..];
    let segment = &path.text[start + 1..path.end_behind(start)];
    let resume = |found: &Alternative| match found.target {
        Target::Leaf(leaf) => Resume::Leaf(leaf),
        Target::Place(place) => Resume::At {
            place,
            start: start + 1 + segment.len(),
        },
    };
    // The literals differ from each other: either one of them fits or none.
    let is_literal = |one: &Alternative| matches!(one.matcher, Matcher::Literal(_));
    let (literals, others) = all.split_at(all.partition_point(is_literal));
    if tried == 0 && !literals.is_empty() {
        let found = literals.binary_search_by(|one| match &one.matcher {
            Matcher::Literal(text) => (**text).cmp(segment),
            Matcher::Any | Matcher::Pattern(_) => Ordering::Greater,
        });
        if let Ok(found) = found {
            return Some(resume(&literals[found]));
        }
    }
    let untried = others.get(tried.saturating_sub(literals.len())..)?;
    let fits = |one: &&Alternative| {
        let text = match one.target {
            Target::Leaf(_) => rest,
            Target::Place(_) => segment,
        };
        match &one.matcher {
            Matcher::Literal(_) => false,
            Matcher::Any => !text.is_empty(),
            Matcher::Pattern(pattern) => pattern.matches(text),
        }
    };
    untried.iter().find(fits).map(resume)
}

/// A path and where the slashes of its first block are.
#[derive(Clone, Copy)]
struct Path<'p> {
    text: &'p str,
    ends: u64,
}

impl<'p> Path<'p> {
    fn new(text: &'p str) -> Self {
        let ends = first_ends::<Native>(text.as_bytes());
        Self { text, ends }
    }

    /// The last slash before `start`, or 0.
    #[inline]
    fn slash_before(self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        if start < BLOCK {
            let before = self.ends & !(!0 << start);
            return before.checked_ilog2().unwrap_or(0) as usize;
        }
        let before = bytes[..start].iter().rposition(|byte| *byte == b'/');
        before.unwrap_or(0)
    }

    /// The end of the segment behind the slash at `start`.
    #[inline]
    fn end_behind(self, start: usize) -> usize {
        if self.text.len() < BLOCK {
            return (self.ends & (!1 << start)).trailing_zeros() as usize;
        }
        let rest = &self.text[start + 1..];
        start + 1 + rest.find('/').unwrap_or(rest.len())
    }
}
