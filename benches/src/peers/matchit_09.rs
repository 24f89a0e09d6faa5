//! matchit 0.9: the radix tree under axum's next release, and its newest version.

use std::hint::black_box;

use matchit_09::Router;

pub(super) struct Matchit09(Router<usize>);

impl super::Router for Matchit09 {
    fn build(patterns: &[String]) -> Self {
        let mut router = Router::new();
        for (value, pattern) in patterns.iter().enumerate() {
            router
                .insert(pattern, value)
                .expect("the sets' patterns are valid");
        }
        Self(router)
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.0.at(path).ok()?;
        Some(*black_box(found).value)
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let found = black_box(self.0.at(path).ok()?);
        for (name, value) in found.params.iter() {
            see(name, value);
        }
        Some(*found.value)
    }
}
