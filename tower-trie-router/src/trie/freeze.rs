//! From routes to [`Tables`].
#![forbid(unsafe_code)]

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{
    layout::{Children, Layout},
    node::{Dispatch, Half, Label, NO_LEAF, NO_STATIC, Node, WIDE, multiplier, place},
    tables::{Alternative, Edge, Extra, Leaf, Matcher, ParamSpec, ParamValue, Tables, Target},
    tree::{Next, Tree},
};
use crate::pattern::{Expansion, Pattern, Segment, SegmentPattern};

impl Tables {
    /// Freezes routes; each one's number is its place in `patterns`.
    ///
    /// # Panics
    /// If the patterns' text has 4 GiB or more, or the arena would.
    pub(super) fn new(patterns: &[&Pattern]) -> Self {
        let mut tree = Tree::new();
        let mut leaves = Leaves::default();
        // The first leaf of each route has the route's number.
        for (route, pattern) in patterns.iter().enumerate() {
            let expansion = &pattern.expansions()[0];
            tree.insert(&expansion.segments, route as u32);
            leaves.push(route as u32, pattern, expansion);
        }
        for (route, pattern) in patterns.iter().enumerate() {
            for expansion in &pattern.expansions()[1..] {
                tree.insert(&expansion.segments, leaves.leaves.len() as u32);
                leaves.push(route as u32, pattern, expansion);
            }
        }
        let layout = Layout::new(&tree);
        let mut arena = Arena {
            nodes: layout.arena(),
            edges: alloc::vec![Edge::default(); 2 * layout.lines as usize],
            extras: Vec::new(),
            layout: &layout,
        };
        for at in 0..tree.places.len() {
            arena.fill(&tree, at);
        }
        Self {
            nodes: arena.nodes.into(),
            edges: arena.edges.into(),
            extras: arena.extras.into(),
            switches: layout.switches.into(),
            leaves: leaves.leaves.into(),
            specs: leaves.specs.into(),
            splits: leaves.splits.into(),
            text: leaves.text.into(),
        }
    }
}

/// The lines while they are written.
struct Arena<'l> {
    layout: &'l Layout,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    extras: Vec<Extra>,
}

impl Arena<'_> {
    fn id(&self, at: usize) -> u32 {
        let spot = &self.layout.spots[at];
        place(spot.line, spot.half())
    }

    fn dispatch(&mut self, at: usize) -> &mut Dispatch {
        let spot = &self.layout.spots[at];
        let node = &mut self.nodes[spot.line as usize];
        match spot.half() {
            Half::Own => &mut node.own,
            Half::Param => &mut node.param,
        }
    }

    /// The extra of a place, made if it has none.
    fn extra(&mut self, at: usize) -> &mut Extra {
        if self.dispatch(at).extra() == 0 {
            self.extras.push(Extra::default());
            let extra = self.extras.len() as u32;
            self.dispatch(at).set_extra(extra);
        }
        let extra = self.dispatch(at).extra() as usize;
        &mut self.extras[extra - 1]
    }

    /// Writes a place's dispatch and the labels and edges of its children.
    fn fill(&mut self, tree: &Tree, at: usize) {
        let layout = self.layout;
        let place = &tree.places[at];
        let spot = &layout.spots[at];
        let hot = layout.hot_param(tree, at);
        let param = hot.map_or(0, |next| self.id(next));
        let (multiplier, base, shift) = match spot.children {
            Children::None => (0, 0, NO_STATIC),
            Children::One { place } => (0, layout.spots[place].line, 63),
            Children::Window(window) => (multiplier(window.seed), window.base, window.shift),
            Children::Wide { first, bits } => (bits.into(), first, WIDE),
        };
        let dispatch = self.dispatch(at);
        dispatch.multiplier = multiplier;
        dispatch.base = base;
        dispatch.extra_and_shift = dispatch.extra() << 8 | shift;
        dispatch.param = param;
        dispatch.leaf = place.leaf.unwrap_or(NO_LEAF);

        let mut alternatives = Vec::new();
        for text in &spot.literals {
            alternatives.push(Alternative {
                matcher: Matcher::Literal(text.clone()),
                target: Target::Place(self.id(place.statics[text])),
            });
        }
        for (pattern, next) in &place.dynamics {
            alternatives.push(Alternative {
                matcher: if pattern.is_plain() || pattern.is_plain_catch_all() {
                    Matcher::Any
                } else {
                    Matcher::Pattern(Arc::clone(pattern))
                },
                target: match *next {
                    Next::Place(next) => Target::Place(self.id(next)),
                    Next::Leaf(leaf) => Target::Leaf(leaf),
                },
            });
        }
        self.link(at, &alternatives);
        for (text, child) in &place.statics {
            if spot.literals.binary_search(text).is_err() {
                self.label(at, text, *child);
            }
        }
        // A plain parameter alone needs no list.
        if alternatives.len() > usize::from(hot.is_some()) {
            self.extra(at).alternatives = alternatives.into();
        }
    }

    /// Writes the edges of alternatives.
    fn link(&mut self, parent: usize, alternatives: &[Alternative]) {
        let parent = self.id(parent);
        for (index, alternative) in alternatives.iter().enumerate() {
            if let Target::Place(child) = alternative.target {
                let rank = index as u32 + 1;
                *self.edge(child) = Edge { parent, rank };
            }
        }
    }

    /// Writes the label and the edge of a static child in a window.
    fn label(&mut self, parent: usize, text: &str, child: usize) {
        let label = Label::new(text);
        let line = self.layout.spots[child].line as usize;
        self.nodes[line].first = label.first;
        self.nodes[line].last = label.last;
        if label.len > Label::WORDS {
            self.extra(child).label = alloc::format!("/{text}").into();
        }
        let parent = self.id(parent);
        *self.edge(self.id(child)) = Edge { parent, rank: 0 };
    }

    fn edge(&mut self, id: u32) -> &mut Edge {
        let (line, half) = super::node::locate(id);
        &mut self.edges[2 * line + usize::from(half == Half::Param)]
    }
}

/// The ends of routes while they are collected.
#[derive(Debug, Default)]
struct Leaves {
    leaves: Vec<Leaf>,
    specs: Vec<ParamSpec>,
    splits: Vec<Arc<SegmentPattern>>,
    text: String,
}

impl Leaves {
    fn push(&mut self, route: u32, pattern: &Pattern, expansion: &Expansion) {
        let start = match self.leaves.get(route as usize) {
            Some(first) => first.pattern,
            None => {
                let start = self.text.len();
                self.text.push_str(pattern.source());
                assert!(
                    u32::try_from(self.text.len()).is_ok(),
                    "too much text for one trie"
                );
                start as u32
            }
        };
        let specs = self.specs.len();
        self.add_specs(pattern.source(), start, &expansion.segments);
        self.leaves.push(Leaf {
            pattern: start,
            specs: specs as u32,
            route,
            pattern_len: pattern.source().len() as u16,
            params: (self.specs.len() - specs) as u16,
        });
    }

    fn add_specs(&mut self, source: &str, start: u32, segments: &[Segment]) {
        let mut from = 0;
        for (number, segment) in segments.iter().enumerate() {
            let Segment::Dynamic(pattern) = segment else {
                continue;
            };
            for (index, name) in pattern.names().enumerate() {
                // Any place of the same text will do.
                let at = source.find(name).expect("a pattern has its names");
                let value = self.value(pattern, index);
                self.specs.push(ParamSpec {
                    name: start + at as u32,
                    name_len: name.len() as u16,
                    skip: (number - from.min(number)) as u16,
                    value,
                });
                from = number + 1;
            }
        }
    }

    fn value(&mut self, pattern: &Arc<SegmentPattern>, index: usize) -> ParamValue {
        let (prefix, suffix) = (pattern.prefix().len() as u16, pattern.suffix().len() as u16);
        match (pattern.is_catch_all(), pattern.param_count()) {
            (true, _) => ParamValue::Rest { prefix },
            (false, 1) if prefix == 0 && suffix == 0 => ParamValue::Whole,
            (false, 1) => ParamValue::Within { prefix, suffix },
            (false, _) => {
                if index == 0 {
                    self.splits.push(Arc::clone(pattern));
                }
                ParamValue::Split {
                    index: index as u16,
                    split: self.splits.len() as u32 - 1,
                }
            }
        }
    }
}
