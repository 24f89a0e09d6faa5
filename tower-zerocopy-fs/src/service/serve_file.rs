//! `ServeFile`: one file as a service.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response};
use tower_service::Service;

use super::{
    future::ResponseFuture,
    serve_files::{NoFallback, ServeFiles},
};
use crate::body::Body;

/// Answers every path with one file, with all that [`ServeFiles`] does for a file.
///
/// ```
/// use tower_zerocopy_fs::ServeFile;
///
/// let app: axum::Router = axum::Router::new().route_service("/robots.txt", ServeFile::new("public/robots.txt"));
/// ```
#[derive(Clone, Debug)]
pub struct ServeFile(ServeFiles);

impl ServeFile {
    /// Serves the file at `path`, whatever its name begins with. Links in the path of its directory are followed; for the
    /// name itself [`Symlinks`](crate::Symlinks) decides. Not found while there is none.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        // A path without a name, or with one that is no UTF-8, names nothing that could be served.
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or("\u{fffd}")
            .to_owned();
        Self(ServeFiles::new(directory).set(|o| o.single = Some(name)))
    }

    /// As [`new`](Self::new) with a media type of your own.
    pub fn new_with_mime(path: impl AsRef<Path>, content_type: HeaderValue) -> Self {
        let extension = path
            .as_ref()
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default()
            .to_owned();
        Self(Self::new(path).0.content_type(extension, content_type))
    }

    /// See [`ServeFiles::precompressed_br`].
    #[must_use]
    pub fn precompressed_br(self) -> Self {
        self.with(ServeFiles::precompressed_br)
    }

    /// See [`ServeFiles::precompressed_gzip`].
    #[must_use]
    pub fn precompressed_gzip(self) -> Self {
        self.with(ServeFiles::precompressed_gzip)
    }

    /// See [`ServeFiles::precompressed_zstd`].
    #[must_use]
    pub fn precompressed_zstd(self) -> Self {
        self.with(ServeFiles::precompressed_zstd)
    }

    /// Any other setting of [`ServeFiles`].
    ///
    /// ```
    /// use http::HeaderValue;
    /// use tower_zerocopy_fs::ServeFile;
    ///
    /// let file = ServeFile::new("app.js").with(|f| f.cache_control("*", HeaderValue::from_static("no-cache")));
    /// ```
    #[must_use]
    pub fn with(self, setting: impl FnOnce(ServeFiles) -> ServeFiles) -> Self {
        Self(setting(self.0))
    }
}

impl<B> Service<Request<B>> for ServeFile {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture<NoFallback, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request)
    }
}
