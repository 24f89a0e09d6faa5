//! `PooledBody`, `PooledBytes` and `PooledForm` as extractors.

use axum_core::extract::{FromRef, FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde::de::DeserializeOwned;

use super::PooledRejection;
use crate::{BodyPool, PooledBody};

impl<S> FromRequest<S> for PooledBody
where
    S: Send + Sync,
    BodyPool: FromRef<S>,
{
    type Rejection = PooledRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, PooledRejection> {
        let pool = BodyPool::from_ref(state);
        pool.collect_unseen(request.into_body())
            .await
            .map_err(PooledRejection::Body)
    }
}

/// The request body as [`Bytes`]: without a copy when it came in one frame, otherwise in pooled
/// memory that comes home with the last clone.
#[derive(Debug, Clone)]
pub struct PooledBytes(pub Bytes);

impl<S> FromRequest<S> for PooledBytes
where
    S: Send + Sync,
    BodyPool: FromRef<S>,
{
    type Rejection = PooledRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, PooledRejection> {
        PooledBody::from_request(request, state)
            .await
            .map(|body| Self(body.into_bytes()))
    }
}

/// A form: the query of a `GET` or `HEAD` request, otherwise the body, read in pooled memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct PooledForm<T>(pub T);

impl<T, S> FromRequest<S> for PooledForm<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
    BodyPool: FromRef<S>,
{
    type Rejection = PooledRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, PooledRejection> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            let query = request.uri().query().unwrap_or_default();
            return serde_urlencoded::from_str(query)
                .map(Self)
                .map_err(|error| PooledRejection::Syntax(error.to_string()));
        }
        if !has_type(request.headers(), |essence| {
            essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        }) {
            return Err(PooledRejection::ContentType(
                "application/x-www-form-urlencoded",
            ));
        }
        let body = PooledBody::from_request(request, state).await?;
        serde_urlencoded::from_bytes(&body)
            .map(Self)
            .map_err(|error| PooledRejection::Data(error.to_string()))
    }
}

/// Whether the content type without its parameters is accepted.
pub(super) fn has_type(headers: &HeaderMap, accept: impl FnOnce(&str) -> bool) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| accept(value.split(';').next().unwrap_or_default().trim()))
}
