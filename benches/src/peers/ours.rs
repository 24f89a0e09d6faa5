//! This project's trie.

use std::hint::black_box;

use tower_trie_router::{Trie, TrieBuilder};

pub(super) struct Ours(Trie<usize>);

impl super::Router for Ours {
    fn build(patterns: &[String]) -> Self {
        let mut builder = TrieBuilder::new();
        for (value, pattern) in patterns.iter().enumerate() {
            builder
                .insert(pattern, value)
                .expect("the sets' patterns are valid");
        }
        Self(builder.build())
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.0.at(path)?;
        Some(*black_box(found).value)
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let found = black_box(self.0.at(path)?);
        for (name, value) in found.params.iter() {
            see(name, value);
        }
        Some(*found.value)
    }
}
