//! Errors as RFC 9457 `application/problem+json`, whoever makes them: handlers, extractors, the router
//! (404, 405), the body limit (413), the timeout (408), early data (425), a caught panic (500).

use std::any::Any;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tower_pool::BodyError;

use crate::store::KeeperError;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong with a request.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// Seconds for `Retry-After`.
    #[serde(skip)]
    retry_after: Option<u32>,
}

/// One field that cannot be accepted.
#[derive(Debug, Serialize)]
pub(crate) struct Fault {
    /// A JSON pointer into the body (RFC 6901, as a URI fragment).
    pointer: String,
    detail: String,
}

impl Fault {
    /// `field` may be a path such as `lines/0/quantity`.
    pub(crate) fn new(field: &str, detail: impl Into<String>) -> Self {
        Fault {
            pointer: format!("#/{field}"),
            detail: detail.into(),
        }
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Says that it may work in so many seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 422: the body is well-formed but says something that cannot be.
    pub(crate) fn invalid(errors: Vec<Fault>) -> Self {
        let detail = match errors.len() {
            1 => "1 field cannot be accepted".to_owned(),
            count => format!("{count} fields cannot be accepted"),
        };
        Problem {
            errors,
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }

    /// 404: `what` has no row `id`.
    pub(crate) fn missing(what: &str, id: u64) -> Self {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}"))
    }

    /// 409: the request is right but not now.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::CONFLICT, detail)
    }

    fn body(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialize")
    }
}

impl From<KeeperError> for Problem {
    /// 503: the change is not on the disk, which may be full. Why is for the log.
    fn from(error: KeeperError) -> Self {
        tracing::warn!(%error, "a change could not be kept");
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the change could not be kept; it is lost when the server is restarted",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let response = (self.status, [(CONTENT_TYPE, MEDIA_TYPE)], self.body());
        match self.retry_after {
            Some(seconds) => ([(RETRY_AFTER, seconds.to_string())], response).into_response(),
            None => response.into_response(),
        }
    }
}

/// Gives every error response that is not a problem yet the body of one; its other headers (`Allow`) stay.
pub(crate) fn describe(response: &mut Response) {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(CONTENT_TYPE) == Some(&MEDIA_TYPE) {
        return;
    }
    let detail = match status {
        StatusCode::NOT_FOUND => {
            "nothing is served at this path; GET /_routes lists what is".to_owned()
        }
        StatusCode::METHOD_NOT_ALLOWED => match response.headers().get(http::header::ALLOW) {
            Some(allow) => format!(
                "this path answers {}",
                allow.to_str().unwrap_or("other methods")
            ),
            None => "this path does not answer this method".to_owned(),
        },
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than this server accepts".to_owned(),
        StatusCode::REQUEST_TIMEOUT => "the request was not complete in time".to_owned(),
        StatusCode::TOO_EARLY => {
            "this came before the TLS handshake had ended, and may be a replay; send it again"
                .to_owned()
        }
        _ => String::new(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    headers.remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(Problem::new(status, detail).body());
}

/// The answer to a request whose handler panicked; the panic is logged, not shown.
pub(crate) fn from_panic(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("not a string");
    tracing::error!(panic = message, "a handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "").into_response()
}

/// The answer to a request whose body could not be read into pooled memory.
pub(crate) fn from_body(error: &BodyError) -> Response {
    let detail = match error {
        BodyError::TooLarge { .. } => "the body is larger than this server accepts",
        BodyError::NoMemory(_) => "too many bodies are in flight; try again",
        BodyError::Timeout => "the request was not complete in time",
        _ => "the body could not be read",
    };
    let problem = Problem::new(error.status(), detail);
    match error {
        BodyError::NoMemory(_) => problem.retry_after(1).into_response(),
        _ => problem.into_response(),
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_errors_are_described_and_keep_their_headers() {
        let mut described = (
            StatusCode::METHOD_NOT_ALLOWED,
            [(http::header::ALLOW, "GET,HEAD")],
            "no",
        )
            .into_response();
        describe(&mut described);
        assert_eq!(described.headers()[CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(described.headers()[http::header::ALLOW], "GET,HEAD");
        assert!(!described.headers().contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn successes_and_problems_pass_untouched() {
        let mut success = "hello".into_response();
        describe(&mut success);
        assert_eq!(success.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        let (told, mut problem) = (
            Problem::missing("book", 7).body(),
            Problem::missing("book", 7).into_response(),
        );
        describe(&mut problem);
        assert_eq!(problem.status(), StatusCode::NOT_FOUND);
        assert_eq!(
            http_body::Body::size_hint(problem.body()).exact(),
            Some(told.len() as u64)
        );
    }
}
