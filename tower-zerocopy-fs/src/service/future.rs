//! The way from a request to its response.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use tokio::task::JoinHandle;
use tower_service::Service;

use super::{
    respond::{self, Answer, Question, Style, allow, of_error},
    site::{Resolution, Site},
};
use crate::{
    body::Body,
    fs::cache::Lookup,
    http::path::{self, FileName, Refusal},
};

pin_project! {
    /// The future of [`ServeFiles`](crate::ServeFiles).
    ///
    /// Ready at once for what the cache knows. Dropping it gives up the response; a look at the file system already
    /// under way ends on the blocking pool and still serves the cache.
    pub struct ResponseFuture<F, B>
    where
        F: Service<Request<B>>,
    {
        state: State,
        run: Option<Run<F, B>>,
        #[pin]
        fallback: Option<F::Future>,
    }
}

/// What all states need.
struct Run<F, B> {
    site: Arc<Site>,
    fallback: Option<F>,
    /// The request for the fallback.
    request: Option<Request<B>>,
    question: Question,
    name: FileName<'static>,
}

enum State {
    Ready(Option<Response<Body>>),
    Looking(JoinHandle<io::Result<Resolution>>),
    #[cfg(target_os = "linux")]
    Sealing(JoinHandle<()>, Resolution),
    Listing(JoinHandle<io::Result<Response<Body>>>),
    /// The page of a single-page application.
    Page(JoinHandle<io::Result<Resolution>>),
    /// A file for the body of a response that has none.
    ErrorPage(JoinHandle<io::Result<Resolution>>, Option<Response<Body>>),
    Missing,
    Calling,
    Fallback,
}

impl<F, B> ResponseFuture<F, B>
where
    F: Service<Request<B>>,
{
    pub(super) fn new(site: &Arc<Site>, fallback: Option<F>, request: Request<B>) -> Self {
        let question = Question {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: HeaderMap::new(),
        };
        // The fallback gets the request as it came; without one the fields need no copy.
        let (headers, request) = match fallback {
            Some(_) => (request.headers().clone(), Some(request)),
            None => (request.into_parts().0.headers, None),
        };
        let mut run = Run {
            site: Arc::clone(site),
            fallback,
            request,
            question: Question {
                headers,
                ..question
            },
            name: FileName {
                name: "".into(),
                directory: false,
            },
        };
        let state = run.begin();
        Self {
            state,
            run: Some(run),
            fallback: None,
        }
    }
}

impl<F, B> Run<F, B> {
    fn begin(&mut self) -> State {
        match self.question.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return State::Ready(Some(allow(StatusCode::NO_CONTENT))),
            _ if self.site.options.fallback_on_method && self.fallback.is_some() => {
                return State::Calling;
            }
            _ => return self.fail(allow(StatusCode::METHOD_NOT_ALLOWED)),
        }
        let site = Arc::clone(&self.site);
        let uri = self.question.uri.clone();
        let name = match &site.options.single {
            Some(single) => FileName {
                name: single.as_str().into(),
                directory: false,
            },
            None => match path::parse(uri.path()) {
                Ok(name) => name,
                Err(Refusal::Malformed) => {
                    return self.fail(respond::status(StatusCode::BAD_REQUEST));
                }
                Err(Refusal::NoFile) => return State::Missing,
            },
        };
        match site.cached(&name) {
            Lookup::Fresh(resolution) => {
                if matches!(resolution, Resolution::Directory) {
                    self.name = owned(&name);
                }
                self.answer(resolution)
            }
            Lookup::Stale(resolution) => {
                self.name = owned(&name);
                State::Looking(look(&site, &self.name, Some(resolution)))
            }
            Lookup::Absent => {
                self.name = owned(&name);
                State::Looking(look(&site, &self.name, None))
            }
        }
    }

    fn answer(&mut self, resolution: Resolution) -> State {
        match self.site.answer(&self.question, &resolution) {
            Answer::Response(response) => self.fail(response),
            Answer::Missing => State::Missing,
            #[cfg(target_os = "linux")]
            Answer::Seal(file) => {
                let site = Arc::clone(&self.site);
                State::Sealing(
                    tokio::task::spawn_blocking(move || site.seal(&file)),
                    resolution,
                )
            }
            Answer::List(style) => State::Listing(self.list(style)),
        }
    }

    fn list(&self, style: Style) -> JoinHandle<io::Result<Response<Body>>> {
        let (site, name) = (Arc::clone(&self.site), self.name.clone());
        tokio::task::spawn_blocking(move || site.list(&name.name, style))
    }

    /// Nothing for this name: the single page, the fallback, or 404, in this order.
    fn missing(&mut self) -> State {
        if let Some(page) = &self.site.options.single_page
            && self.wants_page()
        {
            let page = FileName {
                name: page.clone().into(),
                directory: false,
            };
            return State::Page(known_or_look(&self.site, page));
        }
        self.missing_page()
    }

    fn missing_page(&mut self) -> State {
        if self.fallback.is_some() {
            return State::Calling;
        }
        self.fail(respond::status(StatusCode::NOT_FOUND))
    }

    fn wants_page(&self) -> bool {
        let last = self
            .question
            .uri
            .path()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let html = |field: &http::HeaderValue| {
            let field = field.as_bytes();
            field
                .windows(9)
                .any(|w| w.eq_ignore_ascii_case(b"text/html"))
        };
        !last.contains('.')
            && self
                .question
                .headers
                .get_all(header::ACCEPT)
                .iter()
                .any(html)
    }

    /// The response as it is, or on the way to get its error page.
    fn fail(&mut self, response: Response<Body>) -> State {
        let pages = &self.site.options.error_pages;
        let page = pages
            .iter()
            .find(|(status, _)| *status == response.status());
        match page {
            Some((_, name)) => {
                let name = FileName {
                    name: name.clone().into(),
                    directory: false,
                };
                State::ErrorPage(known_or_look(&self.site, name), Some(response))
            }
            None => State::Ready(Some(response)),
        }
    }

    fn with_page(
        &self,
        mut response: Response<Body>,
        page: io::Result<Resolution>,
    ) -> Response<Body> {
        let Ok(Resolution::File(page)) = page else {
            return response;
        };
        if let Some(file) = page.get(None) {
            let whole = self.site.whole(file, response.status());
            let (parts, body) = whole.into_parts();
            for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
                if let Some(value) = parts.headers.get(&name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            if self.question.method != Method::HEAD {
                *response.body_mut() = body;
            }
        }
        response
    }
}

impl<F, B, R> Future for ResponseFuture<F, B>
where
    F: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(run) = this.run.as_mut() else {
                // A finished future that is polled again stays finished.
                return Poll::Pending;
            };
            *this.state = match this.state {
                State::Ready(response) => {
                    let response = response.take();
                    *this.run = None;
                    return match response {
                        Some(response) => Poll::Ready(Ok(response)),
                        None => Poll::Pending,
                    };
                }
                State::Looking(task) => match ready!(poll_task(task, cx)) {
                    Ok(resolution) => run.answer(resolution),
                    Err(error) => run.fail(respond::status(of_error(&error))),
                },
                #[cfg(target_os = "linux")]
                State::Sealing(task, resolution) => {
                    // Whatever became of it, the file can be served.
                    let _ = ready!(Pin::new(task).poll(cx));
                    let resolution = resolution.clone();
                    run.answer(resolution)
                }
                State::Listing(task) => match ready!(poll_task(task, cx)) {
                    Ok(mut response) => {
                        if run.question.method == Method::HEAD {
                            *response.body_mut() = Body::empty();
                        }
                        State::Ready(Some(response))
                    }
                    Err(error) => run.fail(respond::status(of_error(&error))),
                },
                State::Page(task) => match ready!(poll_task(task, cx)) {
                    Ok(Resolution::Missing) => run.missing_page(),
                    Ok(resolution) => run.answer(resolution),
                    Err(error) => run.fail(respond::status(of_error(&error))),
                },
                State::ErrorPage(task, response) => {
                    let page = ready!(poll_task(task, cx));
                    State::Ready(
                        response
                            .take()
                            .map(|response| run.with_page(response, page)),
                    )
                }
                State::Missing => run.missing(),
                State::Calling => {
                    let Some(fallback) = &mut run.fallback else {
                        return Poll::Pending;
                    };
                    let Ok(()) = ready!(fallback.poll_ready(cx));
                    let request = run.request.take();
                    this.fallback
                        .set(request.map(|request| fallback.call(request)));
                    State::Fallback
                }
                State::Fallback => match this.fallback.as_mut().as_pin_mut() {
                    None => return Poll::Pending,
                    Some(future) => {
                        let Ok(response) = ready!(future.poll(cx));
                        State::Ready(Some(response.map(Body::foreign)))
                    }
                },
            };
        }
    }
}

fn owned(name: &FileName<'_>) -> FileName<'static> {
    FileName {
        name: name.name.clone().into_owned().into(),
        directory: name.directory,
    }
}

fn look(
    site: &Arc<Site>,
    name: &FileName<'static>,
    previous: Option<Resolution>,
) -> JoinHandle<io::Result<Resolution>> {
    let (site, name) = (Arc::clone(site), name.clone());
    tokio::task::spawn_blocking(move || site.resolve(&name, previous.as_ref()))
}

/// Pages are rare enough to go by the pool always.
fn known_or_look(site: &Arc<Site>, name: FileName<'static>) -> JoinHandle<io::Result<Resolution>> {
    let site = Arc::clone(site);
    tokio::task::spawn_blocking(move || match site.cached(&name) {
        Lookup::Fresh(resolution) => Ok(resolution),
        Lookup::Stale(previous) => site.resolve(&name, Some(&previous)),
        Lookup::Absent => site.resolve(&name, None),
    })
}

fn poll_task<T>(task: &mut JoinHandle<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
    let done = ready!(Pin::new(task).poll(cx));
    Poll::Ready(done.unwrap_or_else(|error| Err(io::Error::other(error))))
}

impl<F, B> fmt::Debug for ResponseFuture<F, B>
where
    F: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ready(_) => "ready",
            State::Looking(_) => "looking",
            #[cfg(target_os = "linux")]
            State::Sealing(..) => "sealing",
            State::Listing(_) => "listing",
            State::Page(_) => "page",
            State::ErrorPage(..) => "error page",
            State::Missing | State::Calling | State::Fallback => "fallback",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`SetStatus`](crate::SetStatus).
    #[derive(Debug)]
    pub struct SetStatusFuture<F> {
        #[pin]
        inner: F,
        status: StatusCode,
    }
}

impl<F> SetStatusFuture<F> {
    pub(super) fn new(inner: F, status: StatusCode) -> Self {
        Self { inner, status }
    }
}

impl<F, R, E> Future for SetStatusFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        *response.status_mut() = *this.status;
        Poll::Ready(Ok(response))
    }
}
