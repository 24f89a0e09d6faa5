//! `/uploads`: files of any size, resumable, by the tus protocol 1.0 (<https://tus.io/protocols/resumable-upload>).
//!
//! ```text
//! POST   /uploads        Upload-Length: 5            201, Location: /uploads/0f3a...
//! HEAD   /uploads/0f3a...                            200, Upload-Offset: 0
//! PATCH  /uploads/0f3a...  Upload-Offset: 0, hello   204, Upload-Offset: 5
//! GET    /uploads/0f3a...  Range: bytes=1-3          206, by tower-zerocopy-fs
//! DELETE /uploads/0f3a...                            204
//! ```
//!
//! An upload holds one buffer of tower-pool, whatever its size, and writes it to the disk each time it is full:
//! the budget of the pool bounds how many uploads are received at once.

mod busy;
mod names;
mod receive;
mod shelf;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use tower::ServiceExt;
use tower_trie_router::routing::post;
use tower_trie_router::{Path, TrieRouter};

pub(crate) use self::receive::at_once;
pub(crate) use self::shelf::Shelf;
use crate::app::App;
use crate::problem::Problem;

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
/// The media type of a piece (tus, "PATCH").
const PIECE: &str = "application/offset+octet-stream";

pub(crate) fn routes() -> TrieRouter<App> {
    TrieRouter::new()
        .route("/uploads", post(create).options(options))
        .route(
            "/uploads/{id:alnum}",
            tower_trie_router::routing::get(read)
                .head(status)
                .patch(append)
                .delete(remove),
        )
}

/// `OPTIONS /uploads`: what this server can do.
async fn options(State(app): State<App>) -> Response {
    let headers = [
        (TUS_RESUMABLE, VERSION),
        (TUS_VERSION, VERSION),
        (
            TUS_EXTENSION,
            HeaderValue::from_static("creation,creation-with-upload,termination"),
        ),
        (TUS_MAX_SIZE, app.config.upload_limit.into()),
        (ALLOW, HeaderValue::from_static("OPTIONS, POST")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// `POST /uploads`: room for a file of `Upload-Length` bytes; a body is its beginning.
async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_version(&headers)?;
    let length = number(&headers, &UPLOAD_LENGTH)?;
    if length > app.config.upload_limit {
        let detail = format!("an upload may have {} bytes", app.config.upload_limit);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let shelf = app.uploads.clone();
    let (quota, keep) = (app.config.upload_quota, app.config.upload_keep);
    let id = blocking(move || shelf.create(length, quota, keep)).await?;
    let offset = match headers.get(CONTENT_TYPE) {
        Some(kind) if kind == PIECE => receive::append(&app, &id, 0, body).await?,
        _ => 0,
    };
    let headers = [
        (TUS_RESUMABLE, VERSION),
        (UPLOAD_OFFSET, offset.into()),
        (LOCATION, location(&id)),
    ];
    Ok((StatusCode::CREATED, headers).into_response())
}

fn location(id: &str) -> HeaderValue {
    HeaderValue::try_from(format!("/uploads/{id}")).expect("an id is hex digits")
}

/// `HEAD /uploads/{id}`: how much of it is here.
async fn status(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (offset, length) = app.uploads.progress(&id)?;
    let headers = [
        (TUS_RESUMABLE, VERSION),
        (UPLOAD_OFFSET, offset.into()),
        (UPLOAD_LENGTH, length.into()),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // What a GET would have, once it is whole.
        (CONTENT_LENGTH, offset.into()),
    ];
    Ok((StatusCode::OK, headers).into_response())
}

/// `PATCH /uploads/{id}`: the next piece.
async fn append(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_version(&headers)?;
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != PIECE) {
        let detail = format!("send a piece with Content-Type: {PIECE}");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let from = number(&headers, &UPLOAD_OFFSET)?;
    let offset = receive::append(&app, &id, from, body).await?;
    let headers = [(TUS_RESUMABLE, VERSION), (UPLOAD_OFFSET, offset.into())];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// `GET /uploads/{id}`: the whole file, or a range of it.
async fn read(
    State(app): State<App>,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, Problem> {
    let (offset, length) = app.uploads.progress(&id)?;
    if !app.uploads.is_whole(&id) {
        let detail = format!("{offset} of its {length} bytes are here; send the rest by PATCH");
        return Err(Problem::conflict(detail));
    }
    *request.uri_mut() = Uri::try_from(format!("/{id}")).expect("an id is letters and digits");
    let files = app.uploads.files().clone();
    match files.oneshot(request).await {
        Ok(response) => Ok(response.into_response()),
        Err(never) => match never {},
    }
}

/// `DELETE /uploads/{id}`
async fn remove(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let shelf = app.uploads.clone();
    blocking(move || shelf.remove(&id)).await?;
    Ok((StatusCode::NO_CONTENT, [(TUS_RESUMABLE, VERSION)]).into_response())
}

/// 412 for another version of the protocol; a client that names none is served.
fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version != VERSION => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "this server speaks tus 1.0.0",
        )),
        _ => Ok(()),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Problem> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let detail = format!("the header {name} must be a whole number of bytes");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}

/// Runs what waits for the disk where it delays no other request.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
