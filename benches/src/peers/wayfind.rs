//! wayfind 1.1: a compiled radix trie with mid-route wildcards.

use std::hint::black_box;

use wayfind::RouterBuilder;

pub(super) struct Wayfind(wayfind::Router<usize>);

impl super::Router for Wayfind {
    fn build(patterns: &[String]) -> Self {
        let mut builder = RouterBuilder::new();
        for (value, pattern) in patterns.iter().enumerate() {
            let template = super::rewrite(pattern, |n| format!("<{n}>"), |n| format!("<*{n}>"));
            builder
                .insert(&template, value)
                .expect("the sets' patterns are valid");
        }
        Self(builder.build())
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.0.search(path)?;
        Some(*black_box(found).data())
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let found = black_box(self.0.search(path)?);
        for (name, value) in found.parameters() {
            see(name, value);
        }
        Some(*found.data())
    }
}
