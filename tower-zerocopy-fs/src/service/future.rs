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
use http::{Method, Request, Response, StatusCode, header};
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
        // Nothing where the response was there at once.
        run: Option<Box<Run<F, B>>>,
        #[pin]
        fallback: Option<F::Future>,
    }
}

/// What the states that wait for something need.
struct Run<F, B> {
    site: Arc<Site>,
    fallback: Option<F>,
    request: Request<B>,
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
    pub(super) fn new(site: &Arc<Site>, fallback: Option<&F>, request: Request<B>) -> Self
    where
        F: Clone,
    {
        let state = Course::new(site, fallback.is_some(), &request).begin();
        let run = match state {
            State::Ready(_) => None,
            _ => Some(Box::new(Run {
                site: Arc::clone(site),
                fallback: fallback.cloned(),
                request,
            })),
        };
        Self {
            state,
            run,
            fallback: None,
        }
    }
}

impl<F, B> Run<F, B> {
    fn course(&self) -> Course<'_> {
        Course::new(&self.site, self.fallback.is_some(), &self.request)
    }
}

/// Finds the way from one state to the next.
struct Course<'a> {
    site: &'a Arc<Site>,
    has_fallback: bool,
    question: Question<'a>,
}

impl<'a> Course<'a> {
    fn new<B>(site: &'a Arc<Site>, has_fallback: bool, request: &'a Request<B>) -> Self {
        Self {
            site,
            has_fallback,
            question: Question {
                method: request.method(),
                uri: request.uri(),
                headers: request.headers(),
            },
        }
    }

    fn begin(&self) -> State {
        match *self.question.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return State::Ready(Some(allow(StatusCode::NO_CONTENT))),
            _ if self.site.options.fallback_on_method && self.has_fallback => {
                return State::Calling;
            }
            _ => return self.fail(allow(StatusCode::METHOD_NOT_ALLOWED)),
        }
        let name = match self.name() {
            Ok(name) => name,
            Err(Refusal::Malformed) => return self.fail(respond::status(StatusCode::BAD_REQUEST)),
            Err(Refusal::NoFile) => return State::Missing,
        };
        match self.site.cached(&name) {
            Lookup::Fresh(resolution) => self.answer(resolution),
            Lookup::Stale(resolution) => State::Looking(look(self.site, name, Some(resolution))),
            Lookup::Absent => State::Looking(look(self.site, name, None)),
        }
    }

    fn name(&self) -> Result<FileName<'_>, Refusal> {
        match &self.site.options.single {
            Some(single) => Ok(file(single)),
            None => path::parse(self.question.uri.path()),
        }
    }

    fn answer(&self, resolution: Resolution) -> State {
        match self.site.answer(&self.question, &resolution) {
            Answer::Response(response) => self.fail(response),
            Answer::Missing => State::Missing,
            #[cfg(target_os = "linux")]
            Answer::Seal(file) => {
                let site = Arc::clone(self.site);
                State::Sealing(
                    tokio::task::spawn_blocking(move || site.seal(&file)),
                    resolution,
                )
            }
            Answer::List(style) => self.list(style),
        }
    }

    fn list(&self, style: Style) -> State {
        let Ok(name) = self.name() else {
            return State::Missing;
        };
        let (site, name) = (Arc::clone(self.site), name.name.into_owned());
        State::Listing(tokio::task::spawn_blocking(move || site.list(&name, style)))
    }

    /// Nothing for this name: the single page, the fallback, or 404, in this order.
    fn missing(&self) -> State {
        match &self.site.options.single_page {
            Some(page) if self.wants_page() => State::Page(known_or_look(self.site, page)),
            _ => self.missing_page(),
        }
    }

    fn missing_page(&self) -> State {
        if self.has_fallback {
            return State::Calling;
        }
        self.fail(respond::status(StatusCode::NOT_FOUND))
    }

    fn wants_page(&self) -> bool {
        let path = self.question.uri.path();
        let last = path.rsplit('/').next().unwrap_or_default();
        let html = |field: &http::HeaderValue| {
            let mut types = field.as_bytes().windows(9);
            types.any(|w| w.eq_ignore_ascii_case(b"text/html"))
        };
        let mut accepted = self.question.headers.get_all(header::ACCEPT).iter();
        !last.contains('.') && accepted.any(html)
    }

    /// The response as it is, or on the way to get its error page.
    fn fail(&self, response: Response<Body>) -> State {
        let mut pages = self.site.options.error_pages.iter();
        match pages.find(|(status, _)| *status == response.status()) {
            Some((_, page)) => State::ErrorPage(known_or_look(self.site, page), Some(response)),
            None => State::Ready(Some(response)),
        }
    }

    fn fail_by(&self, error: &io::Error) -> State {
        self.fail(respond::status(of_error(error)))
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
            if *self.question.method != Method::HEAD {
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
            // A finished future that is polled again stays finished: it has neither a response nor a run.
            *this.state = match (&mut *this.state, this.run.as_mut()) {
                (State::Ready(response), _) => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response)),
                        None => Poll::Pending,
                    };
                }
                (State::Fallback, _) => match this.fallback.as_mut().as_pin_mut() {
                    None => return Poll::Pending,
                    Some(future) => {
                        let Ok(response) = ready!(future.poll(cx));
                        State::Ready(Some(response.map(Body::foreign)))
                    }
                },
                (_, None) => return Poll::Pending,
                (State::Looking(task), Some(run)) => match ready!(poll_task(task, cx)) {
                    Ok(resolution) => run.course().answer(resolution),
                    Err(error) => run.course().fail_by(&error),
                },
                #[cfg(target_os = "linux")]
                (State::Sealing(task, resolution), Some(run)) => {
                    // Whatever became of it, the file can be served.
                    let _ = ready!(Pin::new(task).poll(cx));
                    run.course().answer(resolution.clone())
                }
                (State::Listing(task), Some(run)) => match ready!(poll_task(task, cx)) {
                    Ok(mut response) => {
                        if run.request.method() == Method::HEAD {
                            *response.body_mut() = Body::empty();
                        }
                        State::Ready(Some(response))
                    }
                    Err(error) => run.course().fail_by(&error),
                },
                (State::Page(task), Some(run)) => match ready!(poll_task(task, cx)) {
                    Ok(Resolution::Missing) => run.course().missing_page(),
                    Ok(resolution) => run.course().answer(resolution),
                    Err(error) => run.course().fail_by(&error),
                },
                (State::ErrorPage(task, response), Some(run)) => {
                    let page = ready!(poll_task(task, cx));
                    let response = response.take();
                    State::Ready(response.map(|response| run.course().with_page(response, page)))
                }
                (State::Missing, Some(run)) => run.course().missing(),
                (State::Calling, Some(run)) => {
                    let Some(fallback) = &mut run.fallback else {
                        return Poll::Pending;
                    };
                    let Ok(()) = ready!(fallback.poll_ready(cx));
                    if let Some(mut run) = this.run.take() {
                        let fallback = run.fallback.take();
                        this.fallback.set(fallback.map(|mut f| f.call(run.request)));
                    }
                    State::Fallback
                }
            };
        }
    }
}

/// The name of a file that the site itself names.
fn file(name: &str) -> FileName<'_> {
    FileName {
        name: name.into(),
        directory: false,
    }
}

fn look(
    site: &Arc<Site>,
    name: FileName<'_>,
    previous: Option<Resolution>,
) -> JoinHandle<io::Result<Resolution>> {
    let (site, name) = (Arc::clone(site), name.into_owned());
    tokio::task::spawn_blocking(move || site.resolve(&name, previous.as_ref()))
}

/// Pages are rare enough to go by the pool always.
fn known_or_look(site: &Arc<Site>, page: &str) -> JoinHandle<io::Result<Resolution>> {
    let (site, name) = (Arc::clone(site), file(page).into_owned());
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
