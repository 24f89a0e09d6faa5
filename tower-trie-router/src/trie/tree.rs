//! The trie while it is being built: ordinary nodes with ordinary maps.
#![forbid(unsafe_code)]

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};

use crate::pattern::{Segment, SegmentPattern};

/// All places of a trie; the root is place 0.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) places: Vec<Place>,
}

/// What can follow a place.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) statics: BTreeMap<Box<str>, usize>,
    /// In order of precedence.
    pub(super) dynamics: Vec<(Arc<SegmentPattern>, Next)>,
    /// The leaf of the route that ends here.
    pub(super) leaf: Option<u32>,
}

/// Where a dynamic segment leads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    Place(usize),
    /// Behind a catch-all nothing follows.
    Leaf(u32),
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            places: alloc::vec![Place::default()],
        }
    }

    /// Adds the way to a leaf. No other leaf has the same segments.
    pub(super) fn insert(&mut self, segments: &[Segment], leaf: u32) {
        let mut here = 0;
        for segment in segments {
            here = match segment {
                Segment::Static(text) => match self.places[here].statics.get(text) {
                    Some(next) => *next,
                    None => {
                        let next = self.add();
                        self.places[here].statics.insert(text.clone(), next);
                        next
                    }
                },
                Segment::Dynamic(pattern) => {
                    let dynamics = &self.places[here].dynamics;
                    match dynamics.binary_search_by(|(other, _)| other.cmp(pattern)) {
                        Ok(at) => match dynamics[at].1 {
                            Next::Place(next) => next,
                            Next::Leaf(_) => return,
                        },
                        Err(at) => {
                            let next = if pattern.is_catch_all() {
                                Next::Leaf(leaf)
                            } else {
                                Next::Place(self.add())
                            };
                            let entry = (Arc::clone(pattern), next);
                            self.places[here].dynamics.insert(at, entry);
                            match next {
                                Next::Place(next) => next,
                                Next::Leaf(_) => return,
                            }
                        }
                    }
                }
            };
        }
        self.places[here].leaf = Some(leaf);
    }

    fn add(&mut self) -> usize {
        self.places.push(Place::default());
        self.places.len() - 1
    }
}
