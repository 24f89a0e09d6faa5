//! `GET /healthz`: 200 as long as the process answers. `GET /readyz`: 200 as long as it wants requests.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;

pub(crate) async fn alive(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": app.started.elapsed().as_secs(),
    }))
}

/// 503 from the signal to stop on, so that a load balancer sends no more: on the admin port, which is open until the last request
/// has been, and on connections that are there.
pub(crate) async fn ready(State(app): State<App>) -> impl IntoResponse {
    match app.shutdown.is_asked() {
        false => (StatusCode::OK, Json(json!({"status": "ready"}))),
        true => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({"status": "draining"})),
        ),
    }
}
