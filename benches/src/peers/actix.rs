//! actix-router 0.5: a list of compiled patterns, tried in order.

use std::hint::black_box;

use actix_router::Path;

use crate::sets;

pub(super) struct Actix(actix_router::Router<usize>);

impl super::Router for Actix {
    fn build(patterns: &[String]) -> Self {
        // The first match wins, so its user must register a route before those that would hide it.
        let mut order: Vec<usize> = Vec::new();
        for (value, pattern) in patterns.iter().enumerate() {
            let hides = |&other: &usize| sets::covers(&patterns[other], pattern);
            let at = order.iter().position(hides).unwrap_or(order.len());
            order.insert(at, value);
        }
        let mut builder = actix_router::Router::build();
        for value in order {
            let pattern = super::rewrite(
                &patterns[value],
                |n| format!("{{{n}}}"),
                |n| format!("{{{n}:.+}}"),
            );
            builder.path(pattern, value);
        }
        Self(builder.finish())
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let mut path = Path::new(path);
        let (value, _) = black_box(self.0.recognize(&mut path))?;
        Some(*value)
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let mut path = Path::new(path);
        let (value, _) = black_box(self.0.recognize(&mut path))?;
        for (name, value) in path.iter() {
            see(name, value);
        }
        Some(*value)
    }
}
