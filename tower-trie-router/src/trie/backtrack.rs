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
    node::{Half, PlaceId, ROOT, locate},
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
    // How many alternatives of `place` have been tried, static children apart.
    let mut tried = 0;
    loop {
        if start < path.len() {
            steps.step();
            if let Some(resume) = alternative(tables, path, place, start, tried) {
                return resume;
            }
        }
        if place == ROOT {
            return Resume::Nowhere;
        }
        let (line, half) = locate(place);
        let edge = tables.edges[2 * line + usize::from(half == Half::Param)];
        place = edge.parent;
        tried = edge.rank as usize;
        start = path.as_bytes()[..start]
            .iter()
            .rposition(|byte| *byte == b'/')
            .unwrap_or(0);
    }
}

/// The first alternative of `place` that fits and has not been tried.
fn alternative(
    tables: &Tables,
    path: &str,
    place: PlaceId,
    start: usize,
    tried: usize,
) -> Option<Resume> {
    let (line, half) = locate(place);
    let node = &tables.nodes[line];
    let dispatch = match half {
        Half::Own => &node.own,
        Half::Param => &node.param,
    };
    let listed = tables
        .extra(dispatch.extra())
        .map_or(&[][..], |extra| &extra.alternatives);
    let rest = &path[start + 1..];
    let segment = || &rest[..rest.find('/').unwrap_or(rest.len())];
    if listed.is_empty() {
        let segment = (dispatch.param != 0 && tried == 0).then(segment)?;
        return (!segment.is_empty()).then(|| Resume::At {
            place: dispatch.param,
            start: start + 1 + segment.len(),
        });
    }
    // The literals differ from each other: either one of them fits or none.
    let is_literal = |one: &Alternative| matches!(one.matcher, Matcher::Literal(_));
    let (literals, others) = listed.split_at(listed.partition_point(is_literal));
    if tried == 0 && !literals.is_empty() {
        let segment = segment();
        let found = literals.binary_search_by(|one| match &one.matcher {
            Matcher::Literal(text) => (**text).cmp(segment),
            Matcher::Pattern(_) => Ordering::Greater,
        });
        if let Ok(found) = found {
            return Some(resume(&literals[found], start, segment));
        }
    }
    let untried = others.get(tried.saturating_sub(literals.len())..)?;
    let fits = |one: &&Alternative| match (&one.matcher, one.target) {
        (Matcher::Literal(_), _) => false,
        (Matcher::Pattern(pattern), Target::Leaf(_)) => pattern.matches(rest),
        (Matcher::Pattern(pattern), Target::Place(_)) => pattern.matches(segment()),
    };
    let found = untried.iter().find(fits)?;
    Some(resume(found, start, segment()))
}

/// Where an alternative leads that fits the segment behind the slash at `start`.
fn resume(found: &Alternative, start: usize, segment: &str) -> Resume {
    match found.target {
        Target::Leaf(leaf) => Resume::Leaf(leaf),
        Target::Place(place) => Resume::At {
            place,
            start: start + 1 + segment.len(),
        },
    }
}
