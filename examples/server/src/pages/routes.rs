//! `GET /_routes`: every route with its methods, which tower-trie-router lists, as JSON, or drawn as a tree for
//! `?format=tree` and for clients that prefer text.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, VARY};
use http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use tower_trie_router::TrieService;

use crate::app::App;
use crate::problem::Problem;

/// What the router has, taken down once at the start.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RouteList {
    pub(super) routes: Vec<Route>,
    #[serde(skip)]
    tree: String,
}

/// One pattern and the methods it answers.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) methods: Vec<String>,
}

impl RouteList {
    pub(crate) fn of(router: &TrieService) -> Self {
        let routes = router.routes().map(|route| Route {
            path: route.pattern().to_owned(),
            methods: route.methods().iter().map(ToString::to_string).collect(),
        });
        RouteList {
            routes: routes.collect(),
            tree: router.to_string(),
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let as_tree = match format(&uri) {
        Some("tree") => true,
        Some("json") => false,
        Some(other) => {
            let detail = format!("there is no format {other:?}; there are json and tree");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        None => prefers_text(&headers),
    };
    let Some(list) = app.routes.get() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the router is not complete yet",
        ));
    };
    let vary = [(VARY, "accept")];
    Ok(if as_tree {
        (vary, list.tree.clone()).into_response()
    } else {
        (vary, Json(list)).into_response()
    })
}

fn format(uri: &Uri) -> Option<&str> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("format="))
}

/// Text is preferred when it is asked for by name and JSON is not asked for before it.
fn prefers_text(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let ranges = accept
        .split(',')
        .map(|range| range.split(';').next().unwrap_or("").trim());
    let mut named =
        ranges.filter(|range| matches!(*range, "text/plain" | "application/json" | "text/*"));
    named
        .next()
        .is_some_and(|range| range != "application/json")
}
