use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn on(parent: u32, weight: u16, exclusive: bool) -> Dependency {
    Dependency {
        parent,
        weight,
        exclusive,
    }
}

fn parent_of(tree: &Tree, id: u32) -> u32 {
    let node = &tree.nodes[tree.index[&id] as usize];
    tree.nodes[node.parent as usize].id
}

/// The tree as RFC 7540 draws it: who depends on whom.
fn drawn(tree: &Tree) -> BTreeMap<u32, u32> {
    tree.index
        .keys()
        .map(|&id| (id, parent_of(tree, id)))
        .collect()
}

#[test]
fn moves_as_in_the_figures_of_rfc_7540() {
    let figure_5 = || {
        let mut tree = Tree::default();
        for (id, parent) in [(1, 0), (3, 1), (5, 1), (7, 5), (9, 5), (11, 7)] {
            tree.open(id, Some(on(parent, 16, false)));
        }
        tree
    };
    // Figure 5: A (1) is made to depend on D (7), which is below it.
    let mut tree = figure_5();
    tree.depend(1, on(7, 16, false));
    let expected = [(1, 7), (3, 1), (5, 1), (7, 0), (9, 5), (11, 7)];
    assert_eq!(drawn(&tree), BTreeMap::from(expected), "not exclusive");
    let mut tree = figure_5();
    tree.depend(1, on(7, 16, true));
    let expected = [(1, 7), (3, 1), (5, 1), (7, 0), (9, 5), (11, 1)];
    assert_eq!(drawn(&tree), BTreeMap::from(expected), "exclusive");
}

#[test]
fn siblings_share_by_weight_and_parents_go_first() {
    let mut tree = Tree::default();
    tree.open(1, Some(on(0, 16, false)));
    tree.open(3, Some(on(1, 48, false)));
    tree.open(5, Some(on(1, 16, false)));
    for id in [1, 3, 5] {
        tree.set_ready(id, true);
    }
    assert_eq!(tree.first(), Some(1));
    tree.set_ready(1, false);
    let mut served = BTreeMap::from([(3, 0), (5, 0)]);
    for _ in 0..400 {
        let id = tree.first().unwrap();
        tree.set_ready(id, false);
        tree.charge(id, 1000);
        tree.set_ready(id, true);
        *served.get_mut(&id).unwrap() += 1;
    }
    assert_eq!(served, BTreeMap::from([(3, 300), (5, 100)]));
}

#[test]
fn children_share_the_weight_of_a_stream_that_closed() {
    let mut tree = Tree::default();
    tree.open(1, Some(on(0, 200, false)));
    tree.open(3, Some(on(1, 100, false)));
    tree.open(5, Some(on(1, 300 - 100, false)));
    tree.close(1);
    let weight = |id| tree.nodes[tree.index[&id] as usize].weight;
    assert_eq!((weight(3), weight(5)), (66, 133));
    assert_eq!((parent_of(&tree, 3), parent_of(&tree, 5)), (0, 0));
}

/// Chromium has an image depend on the style sheet that was asked for before, exclusively. If that is answered when the word
/// comes, the image must not go before everybody else.
#[test]
fn a_stream_that_depends_on_one_that_has_closed_gets_the_default_priority() {
    let mut tree = Tree::default();
    tree.open(1, Some(on(0, 256, false)));
    tree.open(3, Some(on(0, 200, false)));
    tree.close(1);
    tree.open(5, Some(on(1, 256, true)));
    assert_eq!(drawn(&tree), BTreeMap::from([(3, 0), (5, 0)]));
    let weight = |id| tree.nodes[tree.index[&id] as usize].weight;
    assert_eq!((weight(3), weight(5)), (200, 16));
}

#[test]
fn idle_nodes_are_bounded() {
    let mut tree = Tree::default();
    for id in 0..10_000u32 {
        tree.announce(2 * id + 1, on((2 * id).saturating_sub(1), 16, true));
    }
    assert!(tree.index.len() <= MAX_IDLE);
    assert!(tree.nodes.len() <= MAX_IDLE + 2);
}

#[derive(Clone, Debug)]
enum Step {
    Open(u32, Option<Dependency>),
    Depend(u32, Dependency),
    Close(u32),
    Ready(u32, bool),
    Serve,
}

fn step() -> impl Strategy<Value = Step> {
    let id = || (0u32..12).prop_map(|n| 2 * n + 1);
    let dependency = || {
        (0u32..13, 1u16..=256, any::<bool>()).prop_map(|(n, weight, exclusive)| {
            on(if n == 0 { 0 } else { 2 * n - 1 }, weight, exclusive)
        })
    };
    prop_oneof![
        (id(), prop::option::of(dependency())).prop_map(|(id, d)| Step::Open(id, d)),
        (id(), dependency()).prop_map(|(id, d)| Step::Depend(id, d)),
        id().prop_map(Step::Close),
        (id(), any::<bool>()).prop_map(|(id, ready)| Step::Ready(id, ready)),
        Just(Step::Serve),
    ]
}

/// Parents by number, as one would write it down.
#[derive(Default)]
struct Model {
    parents: BTreeMap<u32, u32>,
    ready: BTreeMap<u32, bool>,
}

impl Model {
    fn is_below(&self, id: u32, above: u32) -> bool {
        let mut id = id;
        while let Some(&parent) = self.parents.get(&id) {
            if parent == above {
                return true;
            }
            id = parent;
        }
        false
    }

    fn depend(&mut self, id: u32, dependency: Dependency) {
        if dependency.parent == id {
            return;
        }
        self.parents.entry(id).or_insert(0);
        self.ready.entry(id).or_insert(false);
        let known = dependency.parent == 0 || self.parents.contains_key(&dependency.parent);
        let parent = if known { dependency.parent } else { 0 };
        if self.is_below(parent, id) {
            self.parents.insert(parent, self.parents[&id]);
        }
        if dependency.exclusive && known {
            for (child, above) in &mut self.parents {
                if *above == parent && *child != id {
                    *above = id;
                }
            }
        }
        self.parents.insert(id, parent);
    }
}

proptest! {
    #[test]
    fn is_the_tree_one_would_draw(steps in prop::collection::vec(step(), 0..120)) {
        let mut tree = Tree::default();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Open(id, None) => {
                    tree.open(id, None);
                    model.parents.entry(id).or_insert(0);
                    model.ready.entry(id).or_insert(false);
                }
                Step::Open(id, Some(dependency)) => {
                    tree.open(id, Some(dependency));
                    model.depend(id, dependency);
                }
                Step::Depend(id, dependency) => {
                    tree.depend(id, dependency);
                    model.depend(id, dependency);
                }
                Step::Close(id) => {
                    tree.close(id);
                    model.ready.remove(&id);
                    if let Some(parent) = model.parents.remove(&id) {
                        for above in model.parents.values_mut() {
                            if *above == id {
                                *above = parent;
                            }
                        }
                    }
                }
                Step::Ready(id, ready) => {
                    tree.set_ready(id, ready);
                    if let Some(state) = model.ready.get_mut(&id) {
                        *state = ready;
                    }
                }
                Step::Serve => {
                    if let Some(id) = tree.first() {
                        tree.charge(id, 16_384);
                    }
                }
            }
            prop_assert_eq!(&drawn(&tree), &model.parents);
            // The next one is ready, and nothing above it is.
            match tree.first() {
                Some(id) => {
                    prop_assert!(model.ready[&id]);
                    for (&other, &ready) in &model.ready {
                        prop_assert!(!ready || !model.is_below(id, other));
                    }
                }
                None => prop_assert!(model.ready.values().all(|&ready| !ready)),
            }
        }
    }
}
