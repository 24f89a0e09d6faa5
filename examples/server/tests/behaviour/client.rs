//! A small HTTP client for one server.

use std::net::SocketAddr;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    origin: String,
}

/// Sends a request's body at once, though its head is not acknowledged yet.
fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn http1(server: SocketAddr) -> Client {
        Client {
            pool: Pool::builder(TokioExecutor::new()).build(connector()),
            origin: format!("http://{server}"),
        }
    }

    /// HTTP/2 by prior knowledge.
    pub(crate) fn http2(server: SocketAddr) -> Client {
        let pool = Pool::builder(TokioExecutor::new())
            .http2_only(true)
            .build(connector());
        Client {
            pool,
            origin: format!("http://{server}"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn begin(&self, path: &str) -> Response<Incoming> {
        let uri = format!("{}{path}", self.origin);
        let request = Request::get(&uri).body(Full::default());
        let request = request.expect("the test wrote a valid request");
        let response = self.pool.request(request).await;
        response.unwrap_or_else(|error| panic!("{uri}: {error}"))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// Sends a request, with a JSON body if there is one, and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        self.send_raw(self.request(method, path, headers, body))
            .await
    }

    /// What [`send`](Self::send) sends.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        request
            .body(Full::from(bytes))
            .expect("the test wrote a valid request")
    }

    pub(crate) async fn send_raw(&self, request: Request<Full<Bytes>>) -> Answer {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self
            .pool
            .request(request)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"))
            .to_bytes();
        Answer {
            status: parts.status,
            version: parts.version,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec())
                .unwrap_or_else(|_| panic!("{what}: the body is not UTF-8")),
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().expect("the server's headers are ASCII")
    }

    /// The `detail` of a problem with this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(
            problem["title"],
            self.status.canonical_reason().unwrap_or_default(),
            "{problem}"
        );
        problem["detail"].as_str().unwrap_or_default().to_owned()
    }
}
