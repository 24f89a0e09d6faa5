//! xitca-router 0.4: a fork of matchit with owned parameters.

use std::hint::black_box;

pub(super) struct Xitca(xitca_router::Router<usize>);

impl super::Router for Xitca {
    fn build(patterns: &[String]) -> Self {
        let mut router = xitca_router::Router::new();
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
