//! The page, and what it downloads.

use axum::{
    Router,
    extract::{Path, Query},
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use serde::Deserialize;
use tower_flowctl::http2::StreamPriority;

/// The page of a server, with a link to the other one.
pub(crate) fn app(server: &'static str, other: &'static str) -> Router {
    let page = include_str!("page.html")
        .replace("{server}", server)
        .replace("{other}", other);
    Router::new()
        .route("/", get(move || async move { Html(page) }))
        .route("/bytes/{length}", get(bytes))
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "as")]
    content_type: Option<String>,
}

/// So many bytes. A field tells by which priority they began, where that is known.
async fn bytes(
    Path(length): Path<usize>,
    Query(kind): Query<Kind>,
    priority: Option<StreamPriority>,
    headers: HeaderMap,
) -> Response {
    let asked = headers.get("priority").cloned();
    let content_type = kind.content_type.unwrap_or_else(|| "text/plain".to_owned());
    let body = Bytes::from(vec![b'x'; length.min(10 << 20)]);
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    let fields = response.headers_mut();
    fields.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    if let Some(asked) = asked {
        fields.insert("x-asked", asked);
    }
    if let Some(priority) = priority
        && let Some(priority) = priority.get()
        && let Ok(value) = priority.to_string().parse()
    {
        fields.insert("x-priority", value);
    }
    response
}
