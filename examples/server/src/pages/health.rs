//! `GET /healthz`: 200 as long as the process answers; for load balancers and the curious.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::assembly::App;

pub(super) async fn show(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": app.started.elapsed().as_secs(),
    }))
}
