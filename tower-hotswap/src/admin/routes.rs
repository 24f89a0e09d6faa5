//! The handlers.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Path, Query, Request, State as Extract, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http::HeaderName;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{State, diff, entity_tag, problem::Problem, view};
use crate::{Canary, Selector, Snapshot, SnapshotInfo, SwapError};

type Shared<T> = Extract<Arc<State<T>>>;

pub(super) async fn list<T>(Extract(state): Shared<T>, headers: HeaderMap) -> Response {
    let (tag, value) = view::list(&state.handle);
    tagged(&headers, &tag, "application/json", value.to_string())
}

pub(super) async fn show<T>(
    Extract(state): Shared<T>,
    Path(version): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let snapshot = state.find(&version)?;
    let text = view::snapshot(&snapshot).to_string();
    let tag = entity_tag::of_snapshot(snapshot.id);
    Ok(tagged(&headers, &tag, "application/json", text))
}

pub(super) async fn content<T>(
    Extract(state): Shared<T>,
    Path(version): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let snapshot = state.find(&version)?;
    let content = content_of(&snapshot)?.to_vec();
    // A tag of its own: it is another representation than the description.
    let tag = format!("\"content-{}\"", snapshot.id);
    let plain = "text/plain; charset=utf-8";
    Ok(tagged(&headers, &tag, plain, content))
}

pub(super) async fn diff<T>(
    Extract(state): Shared<T>,
    Path((version, other)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (old, new) = (state.find(&version)?, state.find(&other)?);
    let text = |snapshot: &SnapshotInfo| {
        content_of(snapshot).map(|content| String::from_utf8_lossy(content).into_owned())
    };
    let (old, new) = (text(&old)?, text(&new)?);
    // Quadratic in the lines that differ: not on a thread that serves requests.
    let lines = tokio::task::spawn_blocking(move || diff::lines(&old, &new));
    let lines = lines
        .await
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(lines.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publication {
    version: Option<String>,
    note: Option<String>,
    schema: Option<u32>,
    #[serde(default)]
    stage: bool,
}

pub(super) async fn publish<T: Send + Sync + 'static>(
    Extract(state): Shared<T>,
    query: Result<Query<Publication>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Query(publication) = query.map_err(bad_request)?;
    let number = publication
        .version
        .as_deref()
        .map(parse_number)
        .transpose()?;
    // Before the body is read: a stale publisher need not send it.
    let expected = entity_tag::expected(request.headers(), &state.handle)?;
    let content = state.body(request).await?;

    let current = state.handle.current();
    let mut draft = state
        .recipe
        .draft(&content, &current.version, number)
        .origin("admin");
    if let Some(expected) = expected {
        draft = draft.expecting(expected);
    }
    if let Some(schema) = publication.schema {
        draft = draft.schema(schema);
    }
    if let Some(note) = publication.note {
        draft = draft.note(note);
    }
    let info = if publication.stage {
        state.handle.stage(draft).await?
    } else {
        state.handle.publish(draft).await?.snapshot().clone()
    };
    let mut response = (StatusCode::CREATED, changed(&info)).into_response();
    let location = HeaderValue::from_str(&format!("/snapshots/{}", info.id));
    response
        .headers_mut()
        .extend(location.ok().map(|location| (header::LOCATION, location)));
    Ok(response)
}

fn parse_number(text: &str) -> Result<semver::Version, SwapError> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    semver::Version::parse(bare).map_err(|_| SwapError::BadVersion(text.to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    to: String,
}

pub(super) async fn rollback<T: Send + Sync + 'static>(
    Extract(state): Shared<T>,
    request: Request,
) -> Result<Response, Problem> {
    let expected = entity_tag::expected_if_given(request.headers(), &state.handle)?;
    let Rollback { to } = state.json(request).await?;
    let info = match expected {
        Some(expected) => state.handle.rollback_expecting(expected, to.as_str())?,
        None => state.handle.rollback(to.as_str())?,
    };
    Ok(changed(&info))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanaryRequest {
    snapshot: String,
    percent: Option<f64>,
    header: Option<String>,
    value: Option<String>,
}

impl CanaryRequest {
    fn rule(&self) -> Result<Canary, Problem> {
        let bad = |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        let name = self.header.as_deref().map(|name| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| bad("`header` is not the name of a header field"))
        });
        match (self.percent, name.transpose()?, &self.value) {
            (Some(percent), None, None) => Ok(Canary::percent(percent)?),
            (Some(percent), Some(name), None) => Ok(Canary::by_header(percent, name)?),
            (None, Some(name), Some(value)) => {
                let value = HeaderValue::from_str(value);
                Ok(Canary::when(
                    name,
                    value.map_err(|_| bad("`value` is not the value of a header field"))?,
                ))
            }
            _ => Err(bad(
                "a canary needs `percent`, `percent` and `header`, or `header` and `value`",
            )),
        }
    }
}

pub(super) async fn canary<T: Send + Sync + 'static>(
    Extract(state): Shared<T>,
    request: Request,
) -> Result<Response, Problem> {
    let expected = entity_tag::expected_if_given(request.headers(), &state.handle)?;
    let wanted: CanaryRequest = state.json(request).await?;
    let rule = wanted.rule()?;
    let snapshot = wanted.snapshot.as_str();
    let info = match expected {
        Some(expected) => state.handle.canary_expecting(expected, snapshot, rule)?,
        None => state.handle.canary(snapshot, rule)?,
    };
    Ok(changed(&info))
}

pub(super) async fn promote<T>(Extract(state): Shared<T>) -> Result<Response, Problem> {
    Ok(changed(&state.handle.promote()?))
}

pub(super) async fn abort<T>(Extract(state): Shared<T>) -> Result<Response, Problem> {
    Ok(changed(&state.handle.abort()?))
}

pub(super) async fn generations<T>(Extract(state): Shared<T>) -> Response {
    let all: Vec<Value> = state
        .handle
        .generations()
        .iter()
        .map(view::generation)
        .collect();
    json_response(&json!({ "generations": all }))
}

impl<T> State<T> {
    fn find(&self, version: &str) -> Result<Arc<Snapshot<T>>, SwapError> {
        if version == "current" {
            return Ok(self.handle.current());
        }
        self.handle.find(Selector::from(version))
    }

    async fn body(&self, request: Request) -> Result<Bytes, Problem> {
        let too_large = || {
            let detail = format!(
                "the body is larger than the limit of {} bytes",
                self.body_limit
            );
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        };
        let announced = http_body::Body::size_hint(request.body()).lower();
        if announced > self.body_limit as u64 {
            return Err(too_large());
        }
        to_bytes(request.into_body(), self.body_limit)
            .await
            .map_err(|error| {
                // axum's error wraps http-body-util's, whose type it does not show.
                if std::error::Error::source(&error)
                    .is_some_and(|source| source.to_string() == "length limit exceeded")
                {
                    too_large()
                } else {
                    bad_request(error)
                }
            })
    }

    /// A JSON body. Its type has to be named: a page of another site cannot do that without being allowed to.
    async fn json<R: DeserializeOwned>(&self, request: Request) -> Result<R, Problem> {
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let media_type = media_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = "the body has to be `application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let body = self.body(request).await?;
        serde_json::from_slice(&body).map_err(bad_request)
    }
}

fn content_of(snapshot: &SnapshotInfo) -> Result<&Arc<[u8]>, Problem> {
    snapshot.content.as_ref().ok_or_else(|| {
        let detail = format!("the content of {} was not kept", snapshot.version);
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

fn bad_request(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, error.to_string())
}

fn json_response(value: &Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        value.to_string(),
    )
        .into_response()
}

/// What a change made of a snapshot.
fn changed(info: &SnapshotInfo) -> Response {
    let tag = entity_tag::of_snapshot(info.id);
    ([(header::ETAG, tag)], json_response(&view::snapshot(info))).into_response()
}

/// A representation under its tag, or that it is known already.
fn tagged(headers: &HeaderMap, tag: &str, media_type: &str, body: impl Into<Body>) -> Response {
    let tag_field = [(header::ETAG, tag)];
    if entity_tag::is_known(headers, tag) {
        return (StatusCode::NOT_MODIFIED, tag_field).into_response();
    }
    let fields = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (tag_field, fields, body.into()).into_response()
}
