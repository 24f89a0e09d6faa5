//! From a request and what its name stands for to a response.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};

use super::{
    headers,
    options::Listing,
    site::{Resolution, Site},
};
use crate::{
    body::{Body, Part},
    fs::file::OpenFile,
    http::{
        condition::{self, Outcome, Validators, seconds},
        encoding,
        path::relative_reference,
        range::{self, ByteRange, Selection},
    },
};

/// The part of a request that decides about the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

/// What is to be done next.
pub(super) enum Answer {
    Response(Response<Body>),
    /// The file is asked for often: copy it to memory and ask again.
    #[cfg(target_os = "linux")]
    Seal(Arc<OpenFile>),
    List(Style),
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Html,
    Json,
}

impl Site {
    /// Answers a GET or HEAD. Does not block.
    pub(super) fn answer(&self, question: &Question<'_>, resolution: &Resolution) -> Answer {
        match resolution {
            Resolution::Missing => Answer::Missing,
            Resolution::Redirect => Answer::Response(redirect(question.uri)),
            Resolution::Directory => Answer::List(self.listing_style(question.headers)),
            Resolution::File(representations) => {
                let coding = if self.options.codings.is_empty() {
                    None
                } else {
                    encoding::negotiate(question.headers, |c| {
                        representations.get(Some(c)).is_some()
                    })
                };
                let Some(file) = representations.get(coding) else {
                    // Only coded files, none of which this client takes.
                    return Answer::Missing;
                };
                #[cfg(target_os = "linux")]
                if *question.method == Method::GET && self.is_to_be_sealed(file) {
                    return Answer::Seal(Arc::clone(file));
                }
                Answer::Response(self.respond(question, file))
            }
        }
    }

    fn listing_style(&self, headers: &HeaderMap) -> Style {
        let wants_json = || {
            headers.get_all(header::ACCEPT).iter().any(|field| {
                let mut types = field.as_bytes().split(|&b| b == b',');
                types.any(|t| {
                    let essence = t
                        .split(|&b| b == b';')
                        .next()
                        .unwrap_or_default()
                        .trim_ascii();
                    essence.eq_ignore_ascii_case(b"application/json")
                })
            })
        };
        match self.options.listing {
            Listing::Json => Style::Json,
            Listing::Negotiated if wants_json() => Style::Json,
            _ => Style::Html,
        }
    }

    fn respond(&self, question: &Question<'_>, file: &Arc<OpenFile>) -> Response<Body> {
        let outcome = condition::evaluate(question.headers, || Validators {
            etag: file.headers.get(header::ETAG).map(HeaderValue::as_bytes),
            modified: file
                .headers
                .get(header::LAST_MODIFIED)
                .and(file.original.version.modified)
                .map(seconds),
            now: SystemTime::now(),
        });
        match outcome {
            Outcome::Failed => return status(StatusCode::PRECONDITION_FAILED),
            Outcome::NotModified => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                *response.headers_mut() = headers::of_not_modified(&file.headers);
                return response;
            }
            Outcome::Proceed | Outcome::ProceedWhole => {}
        }
        // Range is defined for GET alone (RFC 9110 §14.2).
        if *question.method == Method::HEAD {
            return with_headers(Body::empty(), file.headers.clone());
        }
        let len = file.original.version.len;
        let selection = match single_field(question.headers) {
            Some(field) if outcome == Outcome::Proceed => {
                range::select(field, len, self.options.max_ranges)
            }
            _ => Selection::Whole,
        };
        match selection {
            Selection::Whole => self.whole(file, StatusCode::OK),
            Selection::Single(range) => self.single(file, range),
            Selection::Multiple(ranges) => self.multiple(file, &ranges),
            Selection::Unsatisfiable => {
                let mut response = status(StatusCode::RANGE_NOT_SATISFIABLE);
                response
                    .headers_mut()
                    .insert(header::CONTENT_RANGE, text(format!("bytes */{len}")));
                if let Some(vary) = file.headers.get(header::VARY) {
                    response.headers_mut().insert(header::VARY, vary.clone());
                }
                response
            }
        }
    }

    /// The whole file with `status`.
    pub(super) fn whole(&self, file: &Arc<OpenFile>, status: StatusCode) -> Response<Body> {
        let range = ByteRange {
            start: 0,
            end: file.original.version.len,
        };
        let body = Body::range(file, range, &self.delivering);
        let mut response = with_headers(body, file.headers.clone());
        *response.status_mut() = status;
        response
    }

    fn single(&self, file: &Arc<OpenFile>, range: ByteRange) -> Response<Body> {
        let mut headers = file.headers.clone();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.len()));
        headers.insert(
            header::CONTENT_RANGE,
            text(content_range(range, file.original.version.len)),
        );
        let body = Body::range(file, range, &self.delivering);
        let mut response = with_headers(body, headers);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
    }

    /// RFC 9110 §14.6.
    fn multiple(&self, file: &Arc<OpenFile>, ranges: &[ByteRange]) -> Response<Body> {
        let boundary = boundary();
        let content_type = file
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let mut parts = Vec::with_capacity(2 * ranges.len() + 1);
        let mut length = 0;
        for (i, &range) in ranges.iter().enumerate() {
            let break_before = if i == 0 { "" } else { "\r\n" };
            let head = format!(
                "{break_before}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {}\r\n\r\n",
                content_range(range, file.original.version.len)
            );
            length += head.len() as u64 + range.len();
            parts.push(Part::Bytes(Bytes::from(head)));
            parts.push(Part::Range(range));
        }
        let end = format!("\r\n--{boundary}--\r\n");
        length += end.len() as u64;
        parts.push(Part::Bytes(Bytes::from(end)));
        let mut headers = file.headers.clone();
        headers.insert(
            header::CONTENT_TYPE,
            text(format!("multipart/byteranges; boundary={boundary}")),
        );
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        let mut response = with_headers(Body::parts(file, parts, &self.delivering), headers);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
    }
}

/// A response of nothing but a status.
pub(super) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}

/// A response that names the methods there are.
pub(super) fn allow(code: StatusCode) -> Response<Body> {
    let mut response = status(code);
    response.headers_mut().insert(
        header::ALLOW,
        HeaderValue::from_static("GET, HEAD, OPTIONS"),
    );
    response
}

/// The status for an error of the file system that is no absence.
pub(super) fn of_error(error: &io::Error) -> StatusCode {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(error);
        if matches!(
            errno,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN)
        ) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
    }
    match error.kind() {
        io::ErrorKind::OutOfMemory | io::ErrorKind::StorageFull => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// To the same path with a slash. The reference is relative: it stays right under a router that strips a prefix, and
/// however many slashes the path begins with, it cannot become `//host`.
fn redirect(uri: &Uri) -> Response<Body> {
    let raw = uri.path().rsplit('/').next().unwrap_or_default();
    let name = percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
    let query = uri.query().map(|q| format!("?{q}")).unwrap_or_default();
    let mut response = status(StatusCode::TEMPORARY_REDIRECT);
    let location = text(format!("{}/{query}", relative_reference(&name)));
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The one `Range` field; several make none of them valid.
fn single_field(headers: &HeaderMap) -> Option<&[u8]> {
    let mut fields = headers.get_all(header::RANGE).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => Some(field.as_bytes()),
        _ => None,
    }
}

fn with_headers(body: Body, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

fn content_range(range: ByteRange, len: u64) -> String {
    format!("bytes {}-{}/{len}", range.start, range.end - 1)
}

/// 128 random bits, so that nobody can put a boundary into a file.
fn boundary() -> String {
    format!(
        "{:016x}{:016x}",
        RandomState::new().hash_one(1),
        RandomState::new().hash_one(2)
    )
}

/// A field value of characters that are known to be visible ASCII.
fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}
