//! A server on a real socket and a client for it, for the tests taken over from axum.
//!
//! The client knows a short notation, `"POST /users"`, because most of those
//! tests are lists of requests and of what has to come back.
#![allow(dead_code, reason = "each test binary uses another part")]

use std::{
    convert::Infallible, future::IntoFuture, net::SocketAddr, ops::Deref, pin::Pin, sync::Mutex,
};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, make::Shared};
use tower_http::validate_request::{ValidateRequest, ValidateRequestHeaderLayer};

/// The router under test, under the name that axum's tests call theirs.
pub(crate) use tower_trie_router::TrieRouter as Router;

/// Serves a router on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct TestClient {
    address: SocketAddr,
}

impl TestClient {
    /// Builds `router` and serves it.
    #[track_caller]
    pub(crate) fn new(router: Router) -> Self {
        Self::of(router.build())
    }

    /// Serves a service.
    #[track_caller]
    pub(crate) fn of<S>(service: S) -> Self
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, Shared::new(service)).into_future());
        Self { address }
    }

    pub(crate) fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    pub(crate) fn head(&self, path: &str) -> TestRequest {
        self.request(Method::HEAD, path)
    }

    pub(crate) fn post(&self, path: &str) -> TestRequest {
        self.request(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> TestRequest {
        self.request(Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: &str) -> TestRequest {
        self.request(Method::PATCH, path)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        let builder = Request::builder().method(method).uri(path);
        let builder = builder.header("host", self.address.to_string());
        TestRequest {
            address: self.address,
            builder,
            body: Body::empty(),
        }
    }

    /// Sends what `line` says, such as `POST /users`.
    pub(crate) async fn send(&self, line: &str) -> TestResponse {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        self.request(method.parse().unwrap(), path).await
    }

    /// The status that `line` gets.
    pub(crate) async fn status(&self, line: &str) -> StatusCode {
        self.send(line).await.status()
    }

    /// Asserts the status of each request.
    pub(crate) async fn statuses(&self, cases: &[(&str, u16)]) {
        for (line, expected) in cases {
            assert_eq!(self.status(line).await, *expected, "{line}");
        }
    }

    /// Asserts that each request succeeds with this text.
    pub(crate) async fn texts(&self, cases: &[(&str, &str)]) {
        for (line, expected) in cases {
            self.answers(line, 200, expected).await;
        }
    }

    /// Asserts status and text of the answer to one request.
    pub(crate) async fn answers(&self, line: &str, status: u16, text: &str) {
        let response = self.send(line).await;
        assert_eq!(
            (response.status().as_u16(), &*response.text()),
            (status, text),
            "{line}"
        );
    }

    /// Asserts that a request is refused with 405 and this `Allow`.
    pub(crate) async fn refuses(&self, line: &str, allow: &str) {
        let response = self.send(line).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{line}");
        assert_eq!(response.headers()["allow"], allow, "{line}");
    }
}

/// A request that is sent when awaited.
#[derive(Debug)]
#[must_use]
pub(crate) struct TestRequest {
    address: SocketAddr,
    builder: http::request::Builder,
    body: Body,
}

impl TestRequest {
    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn header<V>(mut self, name: &str, value: V) -> Self
    where
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        let name: HeaderName = name.parse().unwrap();
        self.builder = self.builder.header(name, value);
        self
    }
}

impl IntoFuture for TestRequest {
    type Output = TestResponse;
    type IntoFuture = Pin<Box<dyn Future<Output = TestResponse> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let request = self.builder.body(self.body).unwrap();
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            TestResponse(Response::from_parts(head, body))
        })
    }
}

/// A response whose body has been read.
#[derive(Debug)]
pub(crate) struct TestResponse(http::Response<bytes::Bytes>);

impl Deref for TestResponse {
    type Target = http::Response<bytes::Bytes>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl TestResponse {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body().to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body()).unwrap()
    }
}

/// Calls a service once, without a socket: status, headers and text.
pub(crate) async fn call<S>(method: Method, service: &S) -> (StatusCode, HeaderMap, String)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    let request = Request::builder().method(method).body(Body::empty());
    let response = tower::ServiceExt::oneshot(service.clone(), request.unwrap());
    let (head, body) = response.await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (head.status, head.headers, String::from_utf8(body).unwrap())
}

/// The faults a router's registrations had, as a person reads them.
#[track_caller]
pub(crate) fn faults<S>(router: Router<S>) -> String
where
    S: Clone + Send + Sync + Default + 'static,
{
    match router.with_state(S::default()).try_build() {
        Ok(_) => panic!("the router has no fault"),
        Err(error) => error.to_string(),
    }
}

/// A layer that refuses requests without `Authorization: Bearer password`.
pub(crate) fn bearer() -> ValidateRequestHeaderLayer<Bearer> {
    ValidateRequestHeaderLayer::custom(Bearer)
}

/// What [`bearer`] checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer;

impl<B> ValidateRequest<B> for Bearer {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut http::Request<B>) -> Result<(), Response> {
        match request.headers().get("authorization") {
            Some(value) if value == "Bearer password" => Ok(()),
            _ => Err(StatusCode::UNAUTHORIZED.into_response()),
        }
    }
}

/// A state that counts how often it is cloned once [`start`](Self::start) was called.
#[derive(Debug, Default)]
pub(crate) struct CountingState(std::sync::Arc<Mutex<Option<usize>>>);

impl CountingState {
    pub(crate) fn start(&self) {
        *self.0.lock().unwrap() = Some(0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().expect("counting has started")
    }
}

impl Clone for CountingState {
    fn clone(&self) -> Self {
        if let Some(count) = &mut *self.0.lock().unwrap() {
            *count += 1;
        }
        Self(self.0.clone())
    }
}
