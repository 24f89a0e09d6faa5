//! What the server says about itself: the landing page, `/_routes`, `/healthz`.

mod health;
mod landing;
mod routes;

use tower_trie_router::TrieRouter;
use tower_trie_router::routing::get;

pub(crate) use self::routes::RouteList;
use crate::assembly::App;

pub(crate) fn routes() -> TrieRouter<App> {
    TrieRouter::new()
        .route("/", get(landing::show))
        .route("/_routes", get(routes::show))
        .route("/healthz", get(health::show))
}
