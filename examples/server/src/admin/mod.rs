//! The admin port: dashboard, metrics, health, and the versions of the settings (tower-hotswap's routes). It has a thread and
//! a class of connections (tower-flowctl) of its own, so that it answers when all others are busy.

mod figures;
mod help;
mod metrics;
mod token;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use futures_util::{Stream, StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};

use serde_json::json;
use tower::util::MapRequestLayer;

use self::figures::Board;
pub(crate) use self::metrics::Exposition;
use self::metrics::Format;
pub(crate) use self::token::Token;
use crate::app::App;
use crate::assembly::RequestPlane;
use crate::facts;
use crate::pages;
use crate::problem::{self, Problem};
use crate::reload::{Reloaded, Reloader};
use crate::serve::Peer;

const PAGE: &str = include_str!("page/dashboard.html");
const STYLE: &str = include_str!("page/dashboard.css");
const SCRIPT: &str = include_str!("page/dashboard.js");
/// The page has its own style and script, and talks to this port alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[derive(Clone)]
struct Admin {
    app: App,
    board: Arc<Board>,
    exposition: Exposition,
    /// The version of the settings in force.
    version: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Everything that the admin port serves. Starts taking figures once a second, on the runtime of the caller.
pub(crate) fn router<S: RequestPlane>(
    app: App,
    exposition: Exposition,
    reloader: Arc<Reloader<S>>,
    token: Token,
) -> Router {
    let board = Arc::new(Board::default());
    let (served, current) = (reloader.clone(), reloader.clone());
    let settings =
        move || json!({"generations": served.generations(), "history": served.history()});
    tokio::spawn(figures::sample(app.clone(), board.clone(), settings));
    let snapshots = reloader.admin_routes(&token);
    let health = Router::new()
        .route("/healthz", get(pages::alive))
        .route("/readyz", get(pages::ready))
        .with_state(app.clone());
    let changes = Router::new()
        .route("/reload", post(reload::<S>))
        .with_state(reloader)
        .route_layer(middleware::from_fn_with_state(token, token::required));
    Router::new()
        .route("/", get(dashboard))
        .route("/admin", get(dashboard))
        .route("/dashboard.css", get(style))
        .route("/dashboard.js", get(script))
        .route("/figures", get(figures))
        .route("/metrics", get(metrics))
        .with_state(Admin {
            app,
            board,
            exposition,
            version: Arc::new(move || current.version()),
        })
        .merge(health)
        .merge(changes)
        .merge(snapshots)
        .fallback(nothing)
        .layer(middleware::map_response(async |mut response| {
            problem::describe(&mut response);
            response
        }))
        .layer(MapRequestLayer::new(tell_peer))
}

/// Tells axum's extractors, and the snapshots' routes, who asks.
fn tell_peer(mut request: Request) -> Request {
    if let Some(Peer { address, .. }) = facts::peer() {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    request
}

async fn nothing() -> Problem {
    let detail = "nothing is served at this path of the admin port";
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn dashboard() -> impl IntoResponse {
    (
        [(CONTENT_SECURITY_POLICY, POLICY)],
        asset("text/html; charset=utf-8", PAGE),
    )
}

async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", STYLE)
}

async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// A part of the page, which may differ after a restart.
fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, kind),
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        text,
    )
}

/// `GET /figures`: the figures of the last minutes as one event, then those of each second as they come.
async fn figures(State(admin): State<Admin>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (past, coming) = admin.board.subscribe();
    let past = Event::default()
        .event("past")
        .data(format!("[{}]", past.join(",")));
    let mut shutdown = admin.app.shutdown.clone();
    let coming = stream::unfold(coming, async |mut coming| {
        loop {
            match coming.recv().await {
                Ok(frame) => return Some((Event::default().event("now").data(&*frame), coming)),
                // A reader that was too slow has missed some seconds, and goes on with the next.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    let events = stream::once(std::future::ready(past))
        .chain(coming)
        .take_until(async move { shutdown.asked().await })
        .map(Ok);
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// `GET /metrics`: for Prometheus.
async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> impl IntoResponse {
    let format = Format::asked(&headers);
    let text = admin
        .exposition
        .render(&admin.app, &(admin.version)(), format);
    ([(CONTENT_TYPE, format.content_type())], text)
}

/// `POST /reload`: reads the settings again, as SIGHUP does.
async fn reload<S: RequestPlane>(State(reloader): State<Arc<Reloader<S>>>) -> Response {
    match reloader.reload("admin port").await {
        Ok(Reloaded::Unchanged) => Json(json!({"published": null})).into_response(),
        Ok(Reloaded::Published(published)) => {
            Json(json!({"published": published.snapshot().version.to_string()})).into_response()
        }
        Err(error) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response()
        }
    }
}
