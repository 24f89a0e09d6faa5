//! axum's own method routers as leaves, with axum's own parameters.
//!
//! `axum::extract::Path` and `RawPathParams` read an extension that only axum's router can make.
//! So a compatibility leaf is an axum router of one route, which matches the path again. Where it
//! cannot, since axum does not know the pattern or a nest has stripped the URI, it gets a URI made
//! of the raw captured values, `/{first}/{second}`, and a layer around the method router puts the
//! real URI back.
//!
//! ```text
//!  GET /img/a%2Fb.png        pattern /img/{name}.{ext}
//!    trie      name = a%2Fb, ext = png
//!    axum      GET /a%2Fb/png  against  /{name}/{ext}     -> Path(("a/b", "png"))
//!    handler   sees            GET /img/a%2Fb.png
//! ```

use std::{
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, NestedPath, OriginalUri, Request},
    response::Response,
    routing::MethodRouter,
};
use http::{Method, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use tower_layer::layer_fn;
use tower_service::Service;

use super::{
    handler::{Erased, Target, Waiting},
    mint::{self, Cache},
    path::OwnParamsShown,
};
use crate::router::{Answer, Endpoint, MethodTable, Route, RouteMatch};

/// The method table of an axum method router, each endpoint a compatibility leaf.
pub(crate) fn table<S>(methods: MethodRouter<S>) -> MethodTable<Target<S>>
where
    S: Clone + Send + Sync + 'static,
{
    let described = Described::of(&methods);
    let leaf = Target::Waiting(Arc::new(WaitingLeaf {
        methods,
        registered: described.methods.clone().into(),
    }));
    let mut table = MethodTable::default();
    for method in &described.methods {
        let _ = table.set(method, leaf.clone());
    }
    match described.rest {
        Rest::Refused => {
            // A layer of the method router may answer what it has no endpoint for, as one for
            // CORS does a preflight.
            table.options_reply = Some(Target::Waiting(Arc::new(WaitingOptions(leaf.clone()))));
            table.refusal = Some(leaf);
        }
        Rest::Fallback => table.not_allowed = Some(leaf),
        Rest::Any => table.any = Some(leaf),
    }
    table
}

/// What a method router says of itself.
#[derive(Debug, PartialEq)]
struct Described {
    methods: Vec<Method>,
    rest: Rest,
}

/// What becomes of the methods without an endpoint.
#[derive(Debug, PartialEq)]
enum Rest {
    Refused,
    Fallback,
    Any,
}

impl Described {
    /// Reads the method router's `Debug` text, the one public view of what it holds. A text of
    /// another form makes it an endpoint for any method, which is right but for `Allow`.
    fn of<S>(methods: &MethodRouter<S>) -> Self {
        Self::read(&format!("{methods:?}")).unwrap_or(Self {
            methods: Vec::new(),
            rest: Rest::Any,
        })
    }

    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let at = text.find(&format!(" {name}: "))?;
            Some(&text[at + name.len() + 3..])
        };
        let mut methods = Vec::new();
        for (name, method) in [
            ("get", Method::GET),
            ("head", Method::HEAD),
            ("delete", Method::DELETE),
            ("options", Method::OPTIONS),
            ("patch", Method::PATCH),
            ("post", Method::POST),
            ("put", Method::PUT),
            ("trace", Method::TRACE),
            ("connect", Method::CONNECT),
        ] {
            if !field(name)?.starts_with("None") {
                methods.push(method);
            }
        }
        let rest = if field("fallback")?.starts_with("Default(") {
            Rest::Refused
        } else if field("allow_header")?.starts_with("Skip") {
            Rest::Any
        } else {
            Rest::Fallback
        };
        Some(Self { methods, rest })
    }
}

struct WaitingLeaf<S> {
    methods: MethodRouter<S>,
    registered: Arc<[Method]>,
}

impl<S> Waiting<S> for WaitingLeaf<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn with_state(&self, state: &S) -> Erased {
        let methods: MethodRouter = self.methods.clone().with_state(state.clone());
        Route::new(Leaf {
            methods: methods.layer(layer_fn(PutBack)),
            registered: Arc::clone(&self.registered),
            direct: Cache::new(),
            synthetic: Cache::new(),
        })
    }
}

/// The answer to `OPTIONS` where the method router has none of its own.
struct WaitingOptions<S>(Target<S>);

impl<S> Waiting<S> for WaitingOptions<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn with_state(&self, state: &S) -> Erased {
        Route::new(Options(self.0.clone().with_state(state)))
    }
}

/// Asks the method router's layers, and takes its bare refusal for the router's own success.
struct Options(Erased);

impl Endpoint<Body, Body> for Options {
    fn call(&self, request: Request) -> Answer<Body> {
        let call = self.0.clone().call(request);
        Answer::Later(Box::pin(async move {
            let mut response = match call.await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                *response.status_mut() = StatusCode::NO_CONTENT;
                *response.body_mut() = Body::empty();
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            response
        }))
    }
}

/// A compatibility leaf.
struct Leaf {
    methods: MethodRouter,
    registered: Arc<[Method]>,
    /// One-route routers by pattern, for the patterns that axum knows too. There is more than one
    /// where the leaf is mounted twice.
    direct: Cache<Router>,
    /// One-route routers by synthetic pattern.
    synthetic: Cache<Router>,
}

impl Endpoint<Body, Body> for Leaf {
    fn call(&self, mut request: Request) -> Answer<Body> {
        let router = match self.direct(&request) {
            Some(router) => {
                // axum inserts its own, after what it finds.
                request.extensions_mut().remove::<MatchedPath>();
                Some(router)
            }
            None => self.synthetic(&mut request),
        };
        let Some(mut router) = router else {
            return Answer::Now(Some(crate::router::status(StatusCode::BAD_REQUEST)));
        };
        OwnParamsShown::insert_all(request.extensions_mut());

        let refused = !self.registered.contains(request.method());
        let registered = refused.then(|| Arc::clone(&self.registered));
        let call = Service::<Request>::call(&mut router, request);
        Answer::Later(Box::pin(async move {
            match call.await {
                Ok(response) => without_allow_of(registered.as_deref(), without_length(response)),
                Err(never) => match never {},
            }
        }))
    }
}

impl Leaf {
    /// The router of the real pattern, if axum would match the request's path by it and nothing
    /// around this router has to be seen through.
    fn direct(&self, request: &Request) -> Option<Router> {
        let extensions = request.extensions();
        let matched = extensions.get::<RouteMatch>()?;
        if extensions.get::<NestedPath>().is_some() || !matched.is_all_of(request.uri().path()) {
            return None;
        }
        let pattern = matched.pattern();
        let make = || {
            let router = Router::new().without_v07_checks();
            mint::axum_matches(pattern).then(|| router.route(pattern, self.methods.clone()))
        };
        self.direct.get_or_make(pattern, make)
    }

    /// The router of the synthetic pattern, whose URI the request is given.
    fn synthetic(&self, request: &mut Request) -> Option<Router> {
        let (pattern, uri) = synthetic(request);
        let router = self.synthetic.get_or_make(&pattern, || {
            let router = Router::new().without_v07_checks();
            Some(router.route(&pattern, self.methods.clone()))
        })?;
        let real = std::mem::replace(request.uri_mut(), uri?);
        let extensions = request.extensions_mut();
        if extensions.get::<OriginalUri>().is_none() {
            extensions.insert(OriginalUri(real.clone()));
        }
        let matched = extensions.remove::<MatchedPath>();
        extensions.insert(Real { uri: real, matched });
        Some(router)
    }
}

/// Takes out the `Content-Length` that axum's router put, as the outermost one that it takes
/// itself for: a layer around the leaf may still change the body.
fn without_length(mut response: Response) -> Response {
    if response.extensions_mut().remove::<NoLength>().is_some() {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

/// Takes out the `Allow` that axum made of the methods it knows. The router makes one of all
/// methods of the path; one that the application made stays.
fn without_allow_of(registered: Option<&[Method]>, mut response: Response) -> Response {
    let Some(registered) = registered else {
        return response;
    };
    let made_by_axum = response.headers().get(header::ALLOW).is_some_and(|allow| {
        let allow = allow.to_str().unwrap_or_default();
        let known = |name: &str| {
            let is = |method: &Method| {
                method.as_str() == name || (*method == Method::GET && name == "HEAD")
            };
            registered.iter().any(is)
        };
        allow.is_empty() || allow.split(',').all(known)
    });
    if made_by_axum {
        response.headers_mut().remove(header::ALLOW);
    }
    response
}

/// A pattern of one segment for each parameter of the request's match, and a URI of the raw values
/// that matches it.
fn synthetic(request: &Request) -> (String, Option<Uri>) {
    let (mut pattern, mut path) = (String::new(), String::new());
    if let Some(matched) = request.extensions().get::<RouteMatch>() {
        for (name, value) in matched.own_params() {
            let star = if matched.is_catch_all(name) { "*" } else { "" };
            let _ = write!(pattern, "/{{{star}{name}}}");
            let _ = write!(path, "/{value}");
        }
    }
    if pattern.is_empty() {
        return ("/".into(), Some(Uri::from_static("/")));
    }
    (pattern, Uri::try_from(path).ok())
}

/// What the synthetic URI hides.
#[derive(Clone)]
struct Real {
    uri: Uri,
    matched: Option<MatchedPath>,
}

/// In a response: it had no `Content-Length` when it left the method router.
#[derive(Debug, Clone, Copy)]
struct NoLength;

/// Puts the real URI and `MatchedPath` back.
#[derive(Clone)]
struct PutBack<S>(S);

impl<S> Service<Request> for PutBack<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Noting<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if let Some(Real { uri, matched }) = request.extensions_mut().remove::<Real>() {
            *request.uri_mut() = uri;
            match matched {
                Some(path) => drop(request.extensions_mut().insert(path)),
                None => drop(request.extensions_mut().remove::<MatchedPath>()),
            }
        }
        // The answer to a HEAD has lost its body by the time it is back; its length stays.
        let is_head = *request.method() == Method::HEAD;
        Noting {
            is_head,
            response: self.0.call(request),
        }
    }
}

pin_project! {
    /// Notes in the response whether it states its length.
    struct Noting<F> {
        is_head: bool,
        #[pin]
        response: F,
    }
}

impl<F, E> Future for Noting<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx))?;
        if !*this.is_head && !response.headers().contains_key(header::CONTENT_LENGTH) {
            response.extensions_mut().insert(NoLength);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{MethodFilter, any, get, on};

    #[test]
    fn a_method_router_tells_what_it_holds() {
        let described = |methods: Vec<Method>, rest| Described { methods, rest };
        let none = || async {};
        let router: MethodRouter = get(none).post(none);
        let expected = described(vec![Method::GET, Method::POST], Rest::Refused);
        assert_eq!(Described::of(&router), expected);
        let router: MethodRouter = any(none);
        assert_eq!(Described::of(&router), described(vec![], Rest::Any));
        let router: MethodRouter = on(MethodFilter::PUT, none).fallback(none);
        let expected = described(vec![Method::PUT], Rest::Fallback);
        assert_eq!(Described::of(&router), expected);
        let router: MethodRouter = get(none).layer(axum::Extension(1_u8));
        let expected = described(vec![Method::GET], Rest::Refused);
        assert_eq!(Described::of(&router), expected);
    }
}
