//! `ServeFiles`: a directory tree as a service.

use std::{
    convert::Infallible,
    future::Ready,
    io,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    future::ResponseFuture,
    options::{Disposition, EntityTags, Listing, Options, Windows},
    site::Site,
};
use crate::{
    body::Body,
    fs::policy::{Dotfiles, Symlinks},
    http::encoding::Coding,
    metrics::Metrics,
};

/// Serves the files below a directory.
///
/// Answers GET and HEAD with files, OPTIONS with the methods there are, and all else with 405. Never fails and is
/// always ready; clones share their caches. It needs a tokio runtime: what may wait for a disk is done on its blocking
/// pool. A setting made after serving has begun starts with empty caches.
///
/// ```
/// use http::{HeaderValue, StatusCode};
/// use tower_zerocopy_fs::ServeFiles;
///
/// let files = ServeFiles::new("public")
///     .precompressed_br()
///     .precompressed_gzip()
///     .cache_control("assets/**", HeaderValue::from_static("public, max-age=31536000, immutable"))
///     .error_page(StatusCode::NOT_FOUND, "404.html");
/// let app: axum::Router = axum::Router::new().fallback_service(files);
/// ```
#[derive(Clone, Debug)]
pub struct ServeFiles<F = NoFallback> {
    pub(super) site: Arc<Site>,
    pub(super) fallback: Option<F>,
}

impl ServeFiles {
    /// Serves the directory `root`, which is opened at the first request. While it cannot be opened because it is not
    /// there, all its files are missing.
    ///
    /// The directory itself is held open, so that renaming another to its path changes nothing for this service.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            site: Arc::new(Site::new(Options::new(root.into()))),
            fallback: None,
        }
    }

    /// As [`new`](Self::new), but looks at once whether `root` is a directory that can be opened.
    ///
    /// # Errors
    /// What opening it fails with.
    pub fn try_new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let files = Self::new(root);
        files.site.root()?;
        Ok(files)
    }
}

impl<F> ServeFiles<F> {
    pub(super) fn set(mut self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.site.options.clone();
        change(&mut options);
        self.site = Arc::new(Site::new(options));
        self
    }

    /// Calls `fallback` for what is missing. It gets the request as it came.
    #[must_use]
    pub fn fallback<G>(self, fallback: G) -> ServeFiles<G> {
        ServeFiles {
            site: self.site,
            fallback: Some(fallback),
        }
    }

    /// Calls `fallback` for what is missing and answers with its response under status 404.
    #[must_use]
    pub fn not_found_service<G>(self, fallback: G) -> ServeFiles<SetStatus<G>> {
        self.fallback(SetStatus {
            inner: fallback,
            status: StatusCode::NOT_FOUND,
        })
    }

    /// Whether the fallback is called for methods other than GET, HEAD and OPTIONS too, in place of status 405. Off by
    /// default.
    #[must_use]
    pub fn call_fallback_on_method_not_allowed(self, call: bool) -> Self {
        self.set(|o| o.fallback_on_method = call)
    }

    /// Sends `file.br` for `file` to clients that accept Brotli, as with the other codings below.
    ///
    /// Of several codings at hand the one with the highest q-value is sent; at equal values Brotli, then Zstandard, then
    /// gzip. All responses then say `Vary: accept-encoding`.
    #[must_use]
    pub fn precompressed_br(self) -> Self {
        self.precompressed(Coding::Brotli)
    }

    /// Sends `file.gz` for `file` to clients that accept gzip.
    #[must_use]
    pub fn precompressed_gzip(self) -> Self {
        self.precompressed(Coding::Gzip)
    }

    /// Sends `file.zst` for `file` to clients that accept Zstandard.
    #[must_use]
    pub fn precompressed_zstd(self) -> Self {
        self.precompressed(Coding::Zstd)
    }

    fn precompressed(self, coding: Coding) -> Self {
        self.set(|o| {
            if !o.codings.contains(&coding) {
                o.codings.push(coding);
            }
        })
    }

    /// Whether a directory is answered with its index file, and a directory asked for without a slash at its end with
    /// a redirect (307). On by default.
    #[must_use]
    pub fn append_index_html_on_directories(self, append: bool) -> Self {
        self.set(|o| o.append_index = append)
    }

    /// The names of index files, the first that exists wins. `index.html` by default.
    #[must_use]
    pub fn index_files<I: Into<String>>(self, names: impl IntoIterator<Item = I>) -> Self {
        self.set(|o| o.index = names.into_iter().map(Into::into).collect())
    }

    /// What a directory without an index file is answered with. [`Listing::Off`] by default.
    #[must_use]
    pub fn listing(self, listing: Listing) -> Self {
        self.set(|o| o.listing = listing)
    }

    /// Answers a GET or HEAD for what is missing with the file `name` and status 200, if the client accepts `text/html` and
    /// the last segment of the path has no dot in it (a missing image stays missing). For single-page applications.
    #[must_use]
    pub fn single_page_app(self, name: impl Into<String>) -> Self {
        self.set(|o| o.single_page = Some(name.into()))
    }

    /// Sends the file `name` with responses of `status`: 400, 404, 405, 412, 416, 500 or 503. A fallback comes before the
    /// page for 404. A page that is missing itself is left out.
    #[must_use]
    pub fn error_page(self, status: StatusCode, name: impl Into<String>) -> Self {
        self.set(|o| {
            o.error_pages.retain(|(s, _)| *s != status);
            o.error_pages.push((status, name.into()));
        })
    }

    /// The media type of files with `extension` (without its dot, in any case), as it is to be sent.
    #[must_use]
    pub fn content_type(self, extension: impl Into<String>, value: HeaderValue) -> Self {
        self.set(|o| {
            let extension = extension.into();
            o.content_types
                .retain(|(e, _)| !e.eq_ignore_ascii_case(&extension));
            o.content_types.push((extension, value));
        })
    }

    /// Sends `Cache-Control` with files that match `pattern`; of several patterns the first one given wins.
    ///
    /// `?` stands for a byte and `*` for any run of them within a segment, `**` for any run across segments. A pattern
    /// without a slash is held against the file's own name: `*.css`, `assets/*.js`, `fonts/**`.
    #[must_use]
    pub fn cache_control(self, pattern: impl Into<String>, value: HeaderValue) -> Self {
        self.set(|o| o.cache_control.push((pattern.into(), value)))
    }

    /// Sends `Content-Disposition` with files that match `pattern`, as for [`cache_control`](Self::cache_control).
    #[must_use]
    pub fn content_disposition(self, pattern: impl Into<String>, disposition: Disposition) -> Self {
        self.set(|o| o.disposition.push((pattern.into(), disposition)))
    }

    /// Which entity tags to send. [`EntityTags::Strong`] by default.
    #[must_use]
    pub fn entity_tags(self, tags: EntityTags) -> Self {
        self.set(|o| o.entity_tags = tags)
    }

    /// The most parts of a `multipart/byteranges` response; requests for more get the whole file. 16 by default, which
    /// is more than any client sends that means well; 1 refuses several parts; 0 refuses ranges.
    #[must_use]
    pub fn max_ranges(self, parts: usize) -> Self {
        self.set(|o| o.max_ranges = parts)
    }

    /// What to do with symbolic links. [`Symlinks::Beneath`] by default.
    #[must_use]
    pub fn symlinks(self, policy: Symlinks) -> Self {
        self.set(|o| o.symlinks = policy)
    }

    /// What to do with names that begin with a dot. [`Dotfiles::Hidden`] by default.
    #[must_use]
    pub fn dotfiles(self, policy: Dotfiles) -> Self {
        self.set(|o| o.dotfiles = policy)
    }

    /// Names to keep open, with those known to be missing; names with a slash at the end are counted apart. 1024 by default,
    /// of which each may hold a descriptor a representation; 0 opens a file for every request.
    ///
    /// A name that nobody has asked for in a minute is closed when others are opened. Until then a file that was deleted keeps
    /// its room on the disk, so that 0 is right for files that come and go.
    #[must_use]
    pub fn open_files(self, names: usize) -> Self {
        self.set(|o| o.open_files = names)
    }

    /// How long a name is believed to mean the same before the file system is asked again. One second by default; zero
    /// asks at every request.
    #[must_use]
    pub fn revalidate_after(self, period: Duration) -> Self {
        self.set(|o| o.period = period)
    }

    /// Keeps files of up to `file` bytes on the heap, `total` bytes together. 64 KiB and 64 MiB by default.
    #[must_use]
    pub fn heap_cache(self, file: u64, total: u64) -> Self {
        self.set(|o| (o.heap_file, o.heap_total) = (file, total))
    }

    /// Keeps larger files of up to `file` bytes in sealed memory files once they are asked for twice, `total` bytes
    /// together. 8 MiB and 256 MiB by default. Linux only; elsewhere such files are read.
    #[must_use]
    pub fn sealed_cache(self, file: u64, total: u64) -> Self {
        self.set(|o| (o.sealed_file, o.sealed_total) = (file, total))
    }

    /// Whether still larger files may be sent by windows. [`Windows::Proven`] by default.
    #[must_use]
    pub fn windows(self, windows: Windows) -> Self {
        self.set(|o| o.windows = windows)
    }

    /// Counts what happens. Nothing is counted by default.
    #[must_use]
    pub fn metrics(self, metrics: Arc<Metrics>) -> Self {
        self.set(|o| o.metrics = Some(metrics))
    }
}

impl<F, B, R> Service<Request<B>> for ServeFiles<F>
where
    F: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture<F, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::new(&self.site, self.fallback.as_ref(), request)
    }
}

/// The fallback of a service that has none. It cannot be made.
#[derive(Clone, Copy, Debug)]
pub enum NoFallback {}

impl<B> Service<Request<B>> for NoFallback {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match *self {}
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        match *self {}
    }
}

/// A service whose responses get another status; made by [`ServeFiles::not_found_service`].
#[derive(Clone, Copy, Debug)]
pub struct SetStatus<S> {
    inner: S,
    status: StatusCode,
}

impl<S, B, R> Service<Request<B>> for SetStatus<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = super::future::SetStatusFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        super::future::SetStatusFuture::new(self.inner.call(request), self.status)
    }
}
