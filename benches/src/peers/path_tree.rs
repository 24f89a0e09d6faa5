//! path-tree 0.8: the byte radix tree of viz.

use std::hint::black_box;

pub(super) struct PathTree(path_tree::PathTree<usize>);

impl super::Router for PathTree {
    fn build(patterns: &[String]) -> Self {
        let mut tree = path_tree::PathTree::new();
        for (value, pattern) in patterns.iter().enumerate() {
            let pattern = super::rewrite(pattern, |n| format!(":{n}"), |n| format!(":{n}+"));
            let _: usize = tree.insert(&pattern, value);
        }
        Self(tree)
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.0.find(path)?;
        Some(*black_box(found).0)
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let (value, found) = black_box(self.0.find(path)?);
        for (name, value) in found.params_iter() {
            see(name, value);
        }
        Some(*value)
    }
}
