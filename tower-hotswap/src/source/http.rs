//! A URL that is asked again and again.

use std::{fmt, future::poll_fn, marker::PhantomData, pin::pin, sync::Arc, time::Duration};

use bytes::Buf;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::Authority};
use http_body::Body;
use tokio::time::{Instant, sleep_until, timeout};
use tower_service::Service;

use super::{Content, LIMIT, Source, SourceError};
use crate::BoxError;

/// A URL that is asked again and again, with `If-None-Match` (RFC 9110 §13.1.2).
///
/// `C` is any client that is a tower service, such as hyper-util's, with the TLS, proxies and retries it has; `B` is the
/// empty body that it takes.
pub struct HttpSource<C, B> {
    client: C,
    uri: Uri,
    origin: Arc<str>,
    interval: Duration,
    time_limit: Duration,
    limit: u64,
    next: Instant,
    tag: Option<HeaderValue>,
    error: Option<String>,
    body: PhantomData<fn() -> B>,
}

impl<C, B> HttpSource<C, B> {
    /// Asks for `uri` now, and then `interval` after each answer.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time.
    pub fn new(client: C, uri: Uri, interval: Duration) -> Self {
        Self {
            client,
            origin: origin(&uri).into(),
            uri,
            interval,
            time_limit: Duration::from_secs(10),
            limit: LIMIT,
            next: Instant::now(),
            tag: None,
            error: None,
            body: PhantomData,
        }
    }

    /// How long an answer may take as a whole. Default: 10 seconds.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Bytes that an answer may have. Default: 16 MiB.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// What contents and errors of the source say that they come from: the URI without its user and its query, which may be
    /// secret.
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    fn failed(&self, source: BoxError) -> SourceError {
        failed(&self.origin, source)
    }
}

impl<C, B, R> HttpSource<C, B>
where
    C: Service<Request<B>, Response = Response<R>> + Send,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: Default + Send,
    R: Body + Send,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    /// The content, if it is another one than before.
    async fn ask(&mut self) -> Result<Option<Content>, SourceError> {
        let ready = poll_fn(|cx| self.client.poll_ready(cx)).await;
        ready.map_err(|error| self.failed(error.into()))?;
        let mut request = Request::new(B::default());
        *request.uri_mut() = self.uri.clone();
        if let Some(tag) = &self.tag {
            let headers = request.headers_mut();
            headers.insert(header::IF_NONE_MATCH, tag.clone());
        }
        let response = self.client.call(request).await;
        let response = response.map_err(|error| self.failed(error.into()))?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            status => {
                return Err(SourceError::Status {
                    origin: self.origin.to_string(),
                    status: status.as_u16(),
                });
            }
        }
        let tag = response.headers().get(header::ETAG).cloned();
        let bytes = read(&self.origin, self.limit, response.into_body()).await?;
        // Kept when the content is there: an answer cut short is asked for again.
        self.tag = tag;
        Ok(Some(Content {
            bytes,
            origin: self.origin.clone(),
        }))
    }
}

fn origin(uri: &Uri) -> String {
    let scheme = uri
        .scheme_str()
        .map_or(String::new(), |scheme| format!("{scheme}://"));
    let authority = uri.authority().map_or("", Authority::as_str);
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{}", uri.path())
}

async fn read<R>(origin: &str, limit: u64, body: R) -> Result<Vec<u8>, SourceError>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| failed(origin, error.into()))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if (bytes.len() + data.remaining()) as u64 > limit {
            return Err(SourceError::TooLarge {
                origin: origin.to_owned(),
                limit,
            });
        }
        while data.has_remaining() {
            let length = data.chunk().len();
            bytes.extend_from_slice(data.chunk());
            data.advance(length);
        }
    }
    Ok(bytes)
}

fn failed(origin: &str, source: BoxError) -> SourceError {
    SourceError::Request {
        origin: origin.to_owned(),
        source: source.into(),
    }
}

impl<C, B, R> Source for HttpSource<C, B>
where
    C: Service<Request<B>, Response = Response<R>> + Send,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: Default + Send,
    R: Body + Send,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    async fn next(&mut self) -> Result<Content, SourceError> {
        loop {
            sleep_until(self.next).await;
            let asked = timeout(self.time_limit, self.ask()).await;
            let asked = asked.unwrap_or_else(|elapsed| Err(self.failed(elapsed.into())));
            self.next = Instant::now() + self.interval;
            match asked {
                Ok(None) => self.error = None,
                Ok(Some(content)) => {
                    self.error = None;
                    return Ok(content);
                }
                Err(error) => {
                    let text = Some(error.to_string());
                    if self.error != text {
                        self.error = text;
                        return Err(error);
                    }
                }
            }
        }
    }
}

impl<C, B> fmt::Debug for HttpSource<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource")
            .field("origin", &self.origin)
            .field("interval", &self.interval)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
