//! Errors as problem details (RFC 9457).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::SwapError;

/// A problem: what went wrong with this request.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    more: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            more: Map::new(),
        }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

impl From<SwapError> for Problem {
    fn from(error: SwapError) -> Self {
        let status = match &error {
            SwapError::Conflict { .. } => StatusCode::PRECONDITION_FAILED,
            SwapError::CanaryRunning { .. }
            | SwapError::NoCanary
            | SwapError::AlreadyCurrent { .. }
            | SwapError::Ambiguous { .. } => StatusCode::CONFLICT,
            SwapError::Unknown { .. } => StatusCode::NOT_FOUND,
            SwapError::Rejected { .. }
            | SwapError::Panicked { .. }
            | SwapError::TimedOut { .. }
            | SwapError::Source(_)
            | SwapError::BadWeight { .. }
            | SwapError::BadVersion(_)
            | SwapError::BadSelector(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, error.to_string());
        match &error {
            SwapError::Conflict { current, .. } => problem.with("current", current.to_string()),
            SwapError::CanaryRunning { version } => problem.with("canary", version.to_string()),
            SwapError::Rejected { stage, .. }
            | SwapError::Panicked { stage, .. }
            | SwapError::TimedOut { stage, .. } => problem.with("stage", stage.to_string()),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = self.more;
        body.insert("type".to_owned(), json!("about:blank"));
        body.insert("title".to_owned(), json!(self.status.canonical_reason()));
        body.insert("status".to_owned(), json!(self.status.as_u16()));
        body.insert("detail".to_owned(), json!(self.detail));
        let mut response = (self.status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"admin\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(super) async fn no_such_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "the admin router has no such path")
}

pub(super) async fn no_such_method() -> Problem {
    let detail = "the path does not take this method; `Allow` names those it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
