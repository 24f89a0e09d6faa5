//! Values of axum's types that only axum can make, got from axum by asking a router of one route.

use std::{
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll, Waker},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{MatchedPath, NestedPath, Request},
    response::IntoResponse,
    routing::any,
};
use tower_service::Service;

use crate::router::segments;

/// How many prefixes a cache remembers; an application has a handful.
const REMEMBERED: usize = 64;

/// axum's `MatchedPath` of a pattern.
///
/// axum 0.8 refuses patterns it cannot match, such as `/{name}.json`. Such a segment is given with
/// its braces doubled (`/{{name}}.json`): axum takes that for static text, and whoever groups
/// requests by `MatchedPath` still has one name for the route.
pub(crate) fn matched_path(pattern: &str) -> Option<MatchedPath> {
    let mut alias = String::new();
    let mut sample = String::new();
    let all = segments(pattern);
    for (at, segment) in all.iter().enumerate() {
        alias.push('/');
        sample.push('/');
        let last = at + 1 == all.len();
        match shape(segment) {
            Shape::Static => {
                alias.push_str(segment);
                sample.push_str(&segment.replace("{{", "{").replace("}}", "}"));
            }
            Shape::Param => {
                alias.push_str(segment);
                sample.push('x');
            }
            Shape::CatchAll if last => {
                alias.push_str(segment);
                sample.push('x');
            }
            Shape::CatchAll | Shape::Other => {
                let doubled = segment.replace('{', "{{").replace('}', "}}");
                alias.push_str(&doubled);
                sample.push_str(segment);
            }
        }
    }
    let handler = |path: MatchedPath| async move { Extension(path) };
    let router = Router::new()
        .without_v07_checks()
        .route(&alias, any(handler));
    ask(router, &sample)
}

/// axum's `NestedPath` of a prefix.
pub(crate) fn nested_path(prefix: &str) -> Option<NestedPath> {
    let mut alias = String::new();
    let mut sample = String::new();
    for segment in segments(prefix) {
        alias.push('/');
        sample.push('/');
        match shape(segment) {
            Shape::Static => {
                alias.push_str(segment);
                sample.push_str(&segment.replace("{{", "{").replace("}}", "}"));
            }
            Shape::Param => {
                alias.push_str(segment);
                sample.push('x');
            }
            Shape::CatchAll | Shape::Other => return None,
        }
    }
    let handler = |path: NestedPath| async move { Extension(path) };
    let inner = Router::new().fallback(any(handler));
    let router = Router::new()
        .without_v07_checks()
        .nest_service(&alias, inner);
    ask(router, &sample)
}

/// Whether axum takes `prefix` to nest at.
pub(crate) fn axum_accepts(prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let known = |segment: &str| matches!(shape(segment), Shape::Static | Shape::Param);
    prefix.len() > 1 && prefix.starts_with('/') && segments(prefix).into_iter().all(known)
}

/// Whether a pattern means to axum what it means to this crate.
pub(crate) fn axum_matches(pattern: &str) -> bool {
    let all = segments(pattern);
    let last = all.len() - 1;
    all.iter()
        .enumerate()
        .all(|(at, segment)| match shape(segment) {
            Shape::Static => true,
            Shape::Param => !segment.contains([':', '?']),
            Shape::CatchAll => at == last && !segment.contains([':', '?']),
            Shape::Other => false,
        })
}

/// What a segment is to axum's own router.
enum Shape {
    Static,
    Param,
    CatchAll,
    Other,
}

fn shape(segment: &str) -> Shape {
    let bare = segment.replace("{{", "").replace("}}", "");
    if !bare.contains(['{', '}']) {
        return Shape::Static;
    }
    let name = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
    match name {
        Some(name) if name.is_empty() || name.contains(['{', '}', '/']) => Shape::Other,
        Some(name) => match name.strip_prefix('*') {
            Some(rest) if rest.is_empty() || rest.contains('*') => Shape::Other,
            Some(_) => Shape::CatchAll,
            None if name.contains('*') => Shape::Other,
            None => Shape::Param,
        },
        None => Shape::Other,
    }
}

/// Calls a router once and takes what its handler put into the response's extensions. The handler
/// waits for nothing, so one poll is enough.
fn ask<T: Clone + Send + Sync + 'static>(mut router: Router, path: &str) -> Option<T> {
    let request = Request::builder().uri(path).body(Body::empty()).ok()?;
    let future = pin!(Service::<Request>::call(&mut router, request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.into_response().extensions().get::<T>().cloned(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => None,
    }
}

/// What was made for each prefix a router turned out to be mounted at.
pub(crate) struct Cache<T> {
    made: RwLock<Vec<(Arc<str>, Option<T>)>>,
}

impl<T: Clone> Cache<T> {
    pub(crate) fn new() -> Self {
        Self {
            made: RwLock::new(Vec::new()),
        }
    }

    pub(crate) fn get_or_make(&self, key: &str, make: impl FnOnce() -> Option<T>) -> Option<T> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = made.iter().find(|(taken, _)| **taken == *key) {
            return value.clone();
        }
        drop(made);
        let value = make();
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        if made.len() < REMEMBERED && !made.iter().any(|(taken, _)| **taken == *key) {
            made.push((key.into(), value.clone()));
        }
        value
    }
}
