//! Why [`Path`](super::Path) and [`RouteParams`](crate::RouteParams) refuse a request.
//!
//! The variants, texts and status codes are those of axum's own extractors, so
//! that code which inspects a rejection keeps working; only
//! [`MissingPathParams`] says more, because its cause is always in the
//! program and a person has to find it.

use std::{error::Error, fmt};

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

/// What exactly could not be deserialized.
///
/// Obtained by [`FailedToDeserializePathParams::kind`] or
/// [`into_kind`](FailedToDeserializePathParams::into_kind), to build a more
/// precise answer than the default text.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The matched pattern has another number of parameters than the target type.
    WrongNumberOfParameters {
        /// How many parameters the request's path had.
        got: usize,
        /// How many the target type takes.
        expected: usize,
    },
    /// The value of a named field does not parse as its type.
    ParseErrorAtKey {
        /// The parameter's name.
        key: String,
        /// Its value, percent-decoded.
        value: String,
        /// The type it was to become.
        expected_type: &'static str,
    },
    /// The value at a position of a tuple or sequence does not parse as its type.
    ParseErrorAtIndex {
        /// The position, counted from zero.
        index: usize,
        /// The value there, percent-decoded.
        value: String,
        /// The type it was to become.
        expected_type: &'static str,
    },
    /// The only value does not parse as the target type.
    ParseError {
        /// The value, percent-decoded.
        value: String,
        /// The type it was to become.
        expected_type: &'static str,
    },
    /// A value is not UTF-8 once its percent-escapes are decoded.
    InvalidUtf8InPathParam {
        /// The parameter's name.
        key: String,
    },
    /// The target type cannot be made from path parameters, such as a nested
    /// map. This is the program's fault, hence `500 Internal Server Error`.
    UnsupportedType {
        /// The name of the type.
        name: &'static str,
    },
    /// The value's own `Deserialize` refused it.
    DeserializeError {
        /// The parameter's name.
        key: String,
        /// Its value, percent-decoded.
        value: String,
        /// What the type said.
        message: String,
    },
    /// Everything else, as the target type worded it.
    Message(String),
}

impl ErrorKind {
    /// Whether the client's path is at fault, not the program.
    fn is_clients_fault(&self) -> bool {
        !matches!(
            self,
            Self::WrongNumberOfParameters { .. } | Self::UnsupportedType { .. }
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongNumberOfParameters { got, expected } => {
                write!(
                    f,
                    "Wrong number of path arguments for `Path`. Expected {expected} but got {got}"
                )?;
                if *expected == 1 {
                    f.write_str(
                        ". Note that multiple parameters must be extracted with \
                         a tuple `Path<(_, _)>` or a struct `Path<YourParams>`",
                    )?;
                }
                Ok(())
            }
            Self::ParseErrorAtKey {
                key,
                value,
                expected_type,
            } => write!(
                f,
                "Cannot parse `{key}` with value `{value}` to a `{expected_type}`"
            ),
            Self::ParseErrorAtIndex {
                index,
                value,
                expected_type,
            } => write!(
                f,
                "Cannot parse value at index {index} with value `{value}` to a `{expected_type}`"
            ),
            Self::ParseError {
                value,
                expected_type,
            } => write!(f, "Cannot parse `{value}` to a `{expected_type}`"),
            Self::InvalidUtf8InPathParam { key } => write!(f, "Invalid UTF-8 in `{key}`"),
            Self::UnsupportedType { name } => write!(f, "Unsupported type `{name}`"),
            Self::DeserializeError {
                key,
                value,
                message,
            } => write!(f, "Cannot parse `{key}` with value `{value}`: {message}"),
            Self::Message(message) => f.write_str(message),
        }
    }
}

/// The parameters could not be deserialized into the target type.
#[derive(Debug)]
pub struct FailedToDeserializePathParams(ErrorKind);

impl FailedToDeserializePathParams {
    pub(super) fn new(kind: ErrorKind) -> Self {
        Self(kind)
    }

    /// What exactly failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// What exactly failed, by value.
    pub fn into_kind(self) -> ErrorKind {
        self.0
    }

    /// The text of the response's body.
    #[must_use]
    pub fn body_text(&self) -> String {
        if self.0.is_clients_fault() {
            format!("Invalid URL: {}", self.0)
        } else {
            self.0.to_string()
        }
    }

    /// The status of the response: `400` when the client's path is at fault,
    /// `500` when the handler's type does not fit the route.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        if self.0.is_clients_fault() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl fmt::Display for FailedToDeserializePathParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value is not UTF-8 once its percent-escapes are decoded.
#[derive(Debug, Clone)]
pub struct InvalidUtf8InPathParam {
    pub(crate) key: String,
}

impl InvalidUtf8InPathParam {
    /// The text of the response's body.
    #[must_use]
    pub fn body_text(&self) -> String {
        self.to_string()
    }

    /// The status of the response, `400 Bad Request`.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}

impl fmt::Display for InvalidUtf8InPathParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid UTF-8 in `{}`", self.key)
    }
}

/// The request carries no path parameters, because no router that sets them
/// has matched it.
#[derive(Debug, Default, Clone, Copy)]
#[non_exhaustive]
pub struct MissingPathParams;

impl MissingPathParams {
    /// The text of the response's body.
    #[must_use]
    pub fn body_text(&self) -> String {
        self.to_string()
    }

    /// The status of the response, `500 Internal Server Error`.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

impl fmt::Display for MissingPathParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "No path parameters found for the request: no route of a `tower_trie_router` \
             or of an `axum::Router` has matched it. Register the handler with a pattern \
             (fallbacks and services called directly have no parameters), or take \
             `Result<Path<_>, PathRejection>` where both are meant",
        )
    }
}

/// Gives an error type a response of its status and text.
macro_rules! respond {
    ($($error:ident),+) => {$(
        impl Error for $error {}

        impl IntoResponse for $error {
            fn into_response(self) -> Response {
                (self.status(), self.body_text()).into_response()
            }
        }
    )+};
}

respond!(
    FailedToDeserializePathParams,
    InvalidUtf8InPathParam,
    MissingPathParams
);

/// Declares a rejection: an enum over the errors above that forwards to them.
macro_rules! rejection {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ }) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[allow(missing_docs, reason = "the variant's type is documented")]
                $variant($variant),
            )+
        }

        impl $name {
            /// The text of the response's body.
            #[must_use]
            pub fn body_text(&self) -> String {
                match self { $(Self::$variant(inner) => inner.body_text(),)+ }
            }

            /// The status of the response.
            #[must_use]
            pub fn status(&self) -> StatusCode {
                match self { $(Self::$variant(inner) => inner.status(),)+ }
            }
        }

        $(
            impl From<$variant> for $name {
                fn from(inner: $variant) -> Self {
                    Self::$variant(inner)
                }
            }
        )+

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant(inner) => inner.fmt(f),)+ }
            }
        }

        impl Error for $name {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                match self { $(Self::$variant(inner) => inner.source(),)+ }
            }
        }

        impl IntoResponse for $name {
            fn into_response(self) -> Response {
                match self { $(Self::$variant(inner) => inner.into_response(),)+ }
            }
        }
    };
}

rejection! {
    /// Why [`Path`](super::Path) refused a request.
    PathRejection { FailedToDeserializePathParams, MissingPathParams }
}

rejection! {
    /// Why [`RouteParams`](crate::RouteParams) refused a request.
    RawPathParamsRejection { InvalidUtf8InPathParam, MissingPathParams }
}
