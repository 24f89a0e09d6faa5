//! [`Context`] as an extractor.

use std::convert::Infallible;

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::context::{Context, ContextError};

/// Fails with 500 when no layer for the type is above the handler.
impl<C: Send + Sync + 'static, S: Sync> FromRequestParts<S> for Context<C> {
    type Rejection = ContextError;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ContextError> {
        Self::current()
    }
}

impl<C: Send + Sync + 'static, S: Sync> OptionalFromRequestParts<S> for Context<C> {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::current().ok())
    }
}

/// A missing layer is a fault of the program, of which the client learns nothing more.
impl IntoResponse for ContextError {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
