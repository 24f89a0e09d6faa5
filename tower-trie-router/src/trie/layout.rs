//! From the tree to the arena: which line every place gets.
//!
//! Windows of two and more children are laid out one behind the other, in
//! breadth-first order; their holes are filled with the single children of
//! other places and with the lines that have no label, where those cannot be
//! mistaken (see [`node`](super::node)). What remains is appended. So the arena
//! has hardly a line more than it needs.
#![forbid(unsafe_code)]

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use super::{
    node::{Half, Label, Node, Switch, hash, multiplier, switch},
    tree::{Next, Tree},
};

/// Up to so many static children always share one window. More do if there is
/// enough to fill the window's holes with; else they are spread over several
/// windows by a second level.
const FEW_CHILDREN: usize = 24;
/// So many holes may stay empty in wide windows.
const SPARE_LINES: usize = 384;
/// More than so many never share one window.
const MAX_CHILDREN: usize = 64;
/// How many children a window of a wide place has on average.
const CHILDREN_PER_SWITCH: usize = 4;
/// How many multipliers are tried before a window is doubled.
const SEEDS_PER_SIZE: u32 = 2_000;
/// The widest window, in bits.
const MAX_BITS: u32 = 20;

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Layout {
    /// How many lines the arena has.
    pub(super) lines: u32,
    pub(super) switches: Vec<Switch>,
    /// For each place of the tree.
    pub(super) spots: Vec<Spot>,
    /// Lines of windows that nothing stands in yet.
    holes: Vec<Hole>,
    /// Places that can stand in any line, in breadth-first order.
    anywhere: Vec<Anywhere>,
    /// How many holes there may still be in wide windows.
    spare: usize,
}

/// What the layout decides for one place of the tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Spot {
    /// The place's line, or its parent's if it is that one's `Half::Param`.
    pub(super) line: u32,
    pub(super) param: bool,
    /// How the place's static children are found.
    pub(super) children: Children,
    /// Static children that no window could take, sorted.
    pub(super) literals: Vec<Box<str>>,
}

/// How static children are found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Children {
    #[default]
    None,
    One {
        /// The child's place in the tree.
        place: usize,
    },
    Window(Window),
    /// `2^bits` switches from `first` on.
    Wide {
        first: u32,
        bits: u32,
    },
}

/// Lines of which each static child of a place has its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) seed: u32,
    pub(super) base: u32,
    pub(super) shift: u32,
}

/// A free line in a window.
#[derive(Debug, Clone, Copy)]
struct Hole {
    line: u32,
    window: Window,
}

/// A place that can stand in any line.
#[derive(Debug, Clone, Copy)]
struct Anywhere {
    place: usize,
    /// The mixed label that leads to it, if one does.
    mixed: Option<u64>,
    /// The switch that has to know of its line.
    switch: Option<usize>,
}

/// A static child.
#[derive(Debug, Clone, Copy)]
struct Child<'t> {
    mixed: u64,
    text: &'t str,
    place: usize,
}

impl Layout {
    pub(super) fn new(tree: &Tree) -> Self {
        let mut layout = Self {
            lines: 1, // the root's
            switches: Vec::new(),
            spots: alloc::vec![Spot::default(); tree.places.len()],
            holes: Vec::new(),
            anywhere: Vec::new(),
            spare: SPARE_LINES
                + tree
                    .places
                    .iter()
                    .filter(|place| place.statics.len() == 1)
                    .count(),
        };
        let mut queue = VecDeque::from([0]);
        let mut params = Vec::new();
        while let Some(at) = queue.pop_front() {
            layout.place_statics(tree, at);
            queue.extend(tree.places[at].statics.values());
            let hot = layout.hot_param(tree, at);
            for (_, next) in &tree.places[at].dynamics {
                let Next::Place(next) = *next else { continue };
                queue.push_back(next);
                if hot == Some(next) && !layout.spots[at].param {
                    layout.spots[next].param = true;
                    params.push((at, next));
                } else {
                    layout.place_anywhere(next, None, None);
                }
            }
        }
        layout.settle();
        for (parent, child) in params {
            layout.spots[child].line = layout.spots[parent].line;
        }
        layout
    }

    /// The place behind a plain parameter, if nothing but static children in
    /// windows goes before it.
    pub(super) fn hot_param(&self, tree: &Tree, at: usize) -> Option<usize> {
        let (pattern, next) = tree.places[at].dynamics.first()?;
        match *next {
            Next::Place(next) if pattern.is_plain() && self.spots[at].literals.is_empty() => {
                Some(next)
            }
            _ => None,
        }
    }

    fn place_statics(&mut self, tree: &Tree, at: usize) {
        let mut children: Vec<Child<'_>> = tree.places[at]
            .statics
            .iter()
            .map(|(text, place)| Child {
                mixed: Label::new(text).mix(),
                text,
                place: *place,
            })
            .collect();
        // Labels of the same mix cannot share a window.
        children.sort_by_key(|child| child.mixed);
        let mut before = None;
        children.retain(|child| {
            let again = before.replace(child.mixed) == Some(child.mixed);
            if again {
                self.place_literal(at, *child);
            }
            !again
        });
        self.spots[at].children = match &*children {
            [] => Children::None,
            [only] => {
                self.place_anywhere(only.place, Some(only.mixed), None);
                Children::One { place: only.place }
            }
            few if few.len() <= FEW_CHILDREN || self.take_spare(few.len()) => self
                .place_window(at, few)
                .map_or(Children::None, Children::Window),
            many => self.place_wide(at, many),
        };
        // A look-up searches them by halves.
        self.spots[at].literals.sort_unstable();
    }

    /// Whether one window for so many children has no more holes than can be
    /// filled; if so they are taken.
    fn take_spare(&mut self, children: usize) -> bool {
        // About the size at which some seed keeps so many labels apart.
        let holes = (children * children / 12).next_power_of_two();
        let fits = children <= MAX_CHILDREN && holes <= self.spare;
        if fits {
            self.spare -= holes;
        }
        fits
    }

    /// Spreads many children over windows of a few each.
    fn place_wide(&mut self, at: usize, children: &[Child<'_>]) -> Children {
        let bits = children
            .len()
            .div_ceil(CHILDREN_PER_SWITCH)
            .next_power_of_two()
            .ilog2();
        let mut shares = alloc::vec![Vec::new(); 1 << bits];
        for child in children {
            shares[switch(child.mixed, bits) as usize].push(*child);
        }
        let first = self.switches.len();
        // The root's line has no label, so a share without children can lead there.
        self.switches
            .resize(first + shares.len(), Switch::new(0, 0, 63));
        for (number, share) in shares.iter().enumerate() {
            match &**share {
                [] => {}
                [only] => {
                    self.place_anywhere(only.place, Some(only.mixed), Some(first + number));
                }
                several => {
                    if let Some(window) = self.place_window(at, several) {
                        self.switches[first + number] =
                            Switch::new(window.seed, window.base, window.shift);
                    }
                }
            }
        }
        Children::Wide {
            first: first as u32,
            bits,
        }
    }

    /// Appends a window for two or more children.
    fn place_window(&mut self, at: usize, children: &[Child<'_>]) -> Option<Window> {
        let Some((seed, bits)) = separate(children) else {
            for child in children {
                self.place_literal(at, *child);
            }
            return None;
        };
        let window = Window {
            seed,
            base: self.take_lines(1 << bits),
            shift: 64 - bits,
        };
        let mut free = alloc::vec![true; 1 << bits];
        for child in children {
            let offset = hash(child.mixed, multiplier(seed), window.shift);
            free[offset as usize] = false;
            self.spots[child.place].line = window.base + offset;
        }
        let free = free.iter().enumerate().filter(|(_, free)| **free);
        self.holes.extend(free.map(|(offset, _)| Hole {
            line: window.base + offset as u32,
            window,
        }));
        Some(window)
    }

    fn place_literal(&mut self, at: usize, child: Child<'_>) {
        self.spots[at].literals.push(child.text.into());
        self.place_anywhere(child.place, None, None);
    }

    fn place_anywhere(&mut self, place: usize, mixed: Option<u64>, switch: Option<usize>) {
        self.anywhere.push(Anywhere {
            place,
            mixed,
            switch,
        });
    }

    /// Gives a line to all that can stand anywhere.
    fn settle(&mut self) {
        // The holes come from `pop`: the first windows, near the root, first.
        self.holes.reverse();
        for item in core::mem::take(&mut self.anywhere) {
            let fits = |hole: &Hole| match item.mixed {
                Some(mixed) => {
                    let window = hole.window;
                    window.base + hash(mixed, multiplier(window.seed), window.shift) != hole.line
                }
                None => true,
            };
            let line = match self.holes.pop_if(|hole| fits(hole)) {
                Some(hole) => hole.line,
                None => self.take_lines(1),
            };
            self.spots[item.place].line = line;
            if let Some(number) = item.switch {
                self.switches[number] = Switch::new(0, line, 63);
            }
        }
    }

    /// Appends lines to the arena.
    ///
    /// # Panics
    /// If it would have 2^26 lines or more, which is 4 GiB.
    fn take_lines(&mut self, lines: u32) -> u32 {
        let first = self.lines;
        self.lines += lines;
        assert!(
            self.lines < Switch::MAX_LINES,
            "too many routes for one trie"
        );
        first
    }

    /// An arena of empty lines.
    pub(super) fn arena(&self) -> Vec<Node> {
        alloc::vec![Node::EMPTY; self.lines as usize]
    }
}

impl Spot {
    pub(super) fn half(&self) -> Half {
        if self.param { Half::Param } else { Half::Own }
    }
}

/// A multiplier, and the bits of the smallest window found, under which all
/// labels have different offsets.
fn separate(children: &[Child<'_>]) -> Option<(u32, u32)> {
    let mut taken = Vec::new();
    let smallest = children.len().next_power_of_two().ilog2();
    // An additive sequence of odd numbers that are well spread.
    let mut seed = 0x9e37_79b1_u32;
    for bits in smallest..=MAX_BITS {
        for _ in 0..SEEDS_PER_SIZE {
            seed = seed.wrapping_add(0x6a09_e668);
            taken.clear();
            taken.resize((1_usize << bits).div_ceil(64), 0_u64);
            let all_differ = children.iter().all(|child| {
                let offset = hash(child.mixed, multiplier(seed), 64 - bits) as usize;
                let bit = 1 << (offset % 64);
                let free = taken[offset / 64] & bit == 0;
                taken[offset / 64] |= bit;
                free
            });
            if all_differ {
                return Some((seed, bits));
            }
        }
    }
    None
}
