//! What the layers of one request tell each other: tower-pool's typed context.
//!
//! A field here costs no allocation and no look-up by type, which an `http::Extensions` entry does.

use tower_pool::context::{self, Reset};
use tower_trie_router::RouteMatch;

/// Facts about the request being answered.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// What the router matched; `None` until then, and where no route did.
    pub(crate) route: Option<RouteMatch>,
}

impl Reset for Facts {
    fn reset(&mut self) {
        self.route = None;
    }
}

/// Notes the matched route. A layer of every route: what is outside of the router cannot see it otherwise.
pub(crate) fn note_route<B>(request: http::Request<B>) -> http::Request<B> {
    let route = request.extensions().get::<RouteMatch>().cloned();
    // Without the context layer nobody asks.
    let _ = context::update(|facts: &mut Facts| facts.route = route);
    request
}
