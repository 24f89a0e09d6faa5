//! JSON from and into pooled memory.

use std::{
    any::type_name,
    io,
    sync::atomic::{AtomicU8, Ordering},
};

use axum_core::{
    body::Body,
    extract::{FromRef, FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::error::Category;

use super::{PooledRejection, extract::has_type};
use crate::{AcquireError, BodyError, BodyPool, Pool, PooledBody, PooledWriter};

/// JSON: as an extractor parsed out of pooled memory, as a response written into it.
///
/// As a response it takes its memory from [`Pool::global`]; [`PooledJson::response`] takes it from a
/// pool of choice. The size of the last response of the same type chooses the first buffer. When the
/// pool is at its limit the response is a 503 with `Retry-After`; when the value cannot be
/// serialised, a 500.
#[derive(Debug, Clone, Copy, Default)]
pub struct PooledJson<T>(pub T);

impl<T, S> FromRequest<S> for PooledJson<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
    BodyPool: FromRef<S>,
{
    type Rejection = PooledRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, PooledRejection> {
        if !has_type(request.headers(), is_json) {
            return Err(PooledRejection::ContentType("application/json"));
        }
        let body = PooledBody::from_request(request, state).await?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| match error.classify() {
                Category::Data => PooledRejection::Data(error.to_string()),
                _ => PooledRejection::Syntax(error.to_string()),
            })
    }
}

/// `application/json` and everything that ends in `+json` (RFC 6839 §3.1).
fn is_json(essence: &str) -> bool {
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

impl<T: Serialize> PooledJson<T> {
    /// The response, written into memory of `pool`.
    #[must_use]
    #[track_caller]
    pub fn response(&self, pool: &Pool) -> Response {
        match self.write(pool) {
            Ok(writer) => {
                let body = match writer.into_bytes() {
                    Ok(bytes) => Body::from(bytes),
                    Err(writer) => Body::new(writer.into_body()),
                };
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => match no_memory(&error) {
                Some(error) => BodyError::NoMemory(error).into_response(),
                None => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the response could not be serialised",
                )
                    .into_response(),
            },
        }
    }

    #[track_caller]
    fn write(&self, pool: &Pool) -> io::Result<PooledWriter> {
        let hint = hint::<T>();
        // The hint is the binary logarithm of the size, rounded up.
        let mut writer = PooledWriter::new(pool, 1 << hint.load(Ordering::Relaxed))?;
        serde_json::to_writer(&mut writer, &self.0)?;
        let size = writer.written().max(1).next_power_of_two().trailing_zeros();
        // Compared first: a store would take the line from other cores.
        let size = size.min(30) as u8;
        if hint.load(Ordering::Relaxed) != size {
            hint.store(size, Ordering::Relaxed);
        }
        Ok(writer)
    }
}

/// The pool's error inside that of the serialiser.
fn no_memory(error: &io::Error) -> Option<AcquireError> {
    error.get_ref()?.downcast_ref::<AcquireError>().copied()
}

/// Where the size of the last response of type `T` is kept. Types that share a place, which is
/// possible, only cost each other a larger or smaller first buffer.
fn hint<T>() -> &'static AtomicU8 {
    static HINTS: [AtomicU8; 256] = [const { AtomicU8::new(0) }; 256];
    let name = type_name::<T>();
    let number = (name.as_ptr() as u64 ^ name.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    &HINTS[(number >> 56) as usize]
}

impl<T: Serialize> IntoResponse for PooledJson<T> {
    fn into_response(self) -> Response {
        self.response(Pool::global())
    }
}
