//! `GET /hello` and `GET /hello/{name}`: as little as a handler can do, for measuring what is around it.

use serde_json::{Value, json};
use tower_pool::PooledJson;
use tower_trie_router::Path;

pub(super) async fn plain() -> &'static str {
    "Hello, World!"
}

pub(super) async fn by_name(Path(name): Path<String>) -> PooledJson<Value> {
    PooledJson(json!({"hello": name}))
}
