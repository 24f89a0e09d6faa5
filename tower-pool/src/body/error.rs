//! Why a body could not be read, and what the client is told.

use std::{error::Error, fmt};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::AcquireError;

/// Why a body could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The body is, or says it is, larger than the limit. 413.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// There was no memory for it in time. 503.
    NoMemory(AcquireError),
    /// The sender took too long. 408.
    Timeout,
    /// The body ended in an error: a reset, or a break of the protocol. 400.
    Receive(Box<dyn Error + Send + Sync>),
}

impl BodyError {
    /// The status that says it to the client.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoMemory(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Receive(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The response: the status, a line of text that shows nothing internal, and `Retry-After` when
    /// trying again may help.
    #[must_use]
    pub fn response<B: From<Bytes>>(&self) -> Response<B> {
        let text = match self {
            Self::TooLarge { limit } => {
                Bytes::from(format!("the request body is larger than {limit} bytes\n"))
            }
            Self::NoMemory(_) => {
                Bytes::from_static(b"there is no memory for the body at present, try again\n")
            }
            Self::Timeout => Bytes::from_static(b"the request body did not arrive in time\n"),
            Self::Receive(_) => Bytes::from_static(b"the request body could not be read\n"),
        };
        let mut response = Response::new(B::from(text));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if matches!(self, Self::NoMemory(_)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the request body is larger than {limit} bytes"),
            Self::NoMemory(_) => f.write_str("no memory for the request body"),
            Self::Timeout => f.write_str("the request body did not arrive in time"),
            Self::Receive(_) => f.write_str("the request body could not be read"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoMemory(error) => Some(error),
            Self::Receive(error) => Some(&**error),
            Self::TooLarge { .. } | Self::Timeout => None,
        }
    }
}

impl From<AcquireError> for BodyError {
    fn from(error: AcquireError) -> Self {
        match error {
            // Whatever comes home, it will not fit: trying again is of no use.
            AcquireError::TooLarge { limit, .. } => Self::TooLarge { limit },
            other => Self::NoMemory(other),
        }
    }
}

/// Makes the response to a body that could not be read. Closures are rejections too.
pub trait Rejection<B> {
    /// The response for `error`.
    fn reject(&self, error: &BodyError) -> Response<B>;
}

/// [`BodyError::response`], for every response body that can be made of [`Bytes`].
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultRejection;

impl<B: From<Bytes>> Rejection<B> for DefaultRejection {
    fn reject(&self, error: &BodyError) -> Response<B> {
        error.response()
    }
}

impl<B, F: Fn(&BodyError) -> Response<B>> Rejection<B> for F {
    fn reject(&self, error: &BodyError) -> Response<B> {
        self(error)
    }
}
