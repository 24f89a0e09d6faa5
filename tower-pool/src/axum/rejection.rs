//! What an extractor answers when it fails.

use std::{error::Error, fmt};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use crate::BodyError;

/// Why an extractor failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PooledRejection {
    /// The body could not be read: see [`BodyError::status`].
    Body(BodyError),
    /// The content type is not the one named. 415.
    ContentType(&'static str),
    /// The body or query is not well-formed. 400.
    Syntax(String),
    /// The body is well-formed, but not of the type wanted. 422.
    Data(String),
}

impl PooledRejection {
    /// The status that says it to the client.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Syntax(_) => StatusCode::BAD_REQUEST,
            Self::Data(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl fmt::Display for PooledRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::ContentType(wanted) => write!(f, "expected a request with content type {wanted}"),
            Self::Syntax(what) => write!(f, "the request is not well-formed: {what}"),
            Self::Data(what) => write!(f, "the request is not of the expected form: {what}"),
        }
    }
}

impl Error for PooledRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => error.source(),
            _ => None,
        }
    }
}

impl IntoResponse for PooledRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Body(error) => error.response::<Body>(),
            other => (other.status(), other.to_string()).into_response(),
        }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        self.response::<Body>()
    }
}
