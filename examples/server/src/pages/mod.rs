//! What the server says about itself: the landing page, `/_routes`, `/healthz`, `/readyz`; and a greeting.

mod health;
mod hello;
mod landing;
mod routes;

use tower_trie_router::TrieRouter;
use tower_trie_router::routing::get;

pub(crate) use self::health::{alive, ready};
pub(crate) use self::routes::RouteList;
use crate::app::App;

pub(crate) fn routes() -> TrieRouter<App> {
    TrieRouter::new()
        .route("/", get(landing::show))
        .route("/_routes", get(routes::show))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/hello", get(hello::plain))
        .route("/hello/{name}", get(hello::by_name))
}
