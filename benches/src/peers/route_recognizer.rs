//! route-recognizer 0.3: a nondeterministic automaton over characters.

use std::hint::black_box;

pub(super) struct RouteRecognizer(route_recognizer::Router<usize>);

impl super::Router for RouteRecognizer {
    fn build(patterns: &[String]) -> Self {
        let mut router = route_recognizer::Router::new();
        for (value, pattern) in patterns.iter().enumerate() {
            let pattern = super::rewrite(pattern, |n| format!(":{n}"), |n| format!("*{n}"));
            router.add(&pattern, value);
        }
        Self(router)
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.0.recognize(path).ok()?;
        Some(**black_box(found).handler())
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let found = black_box(self.0.recognize(path).ok()?);
        for (name, value) in found.params().iter() {
            see(name, value);
        }
        Some(**found.handler())
    }
}
