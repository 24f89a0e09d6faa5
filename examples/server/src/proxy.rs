//! `/proxy/*`: a reverse proxy whose upstream connections come from tower-pool's `ObjectPool`.
//!
//! A connection is out for as long as a response is read from it, and comes home with the end of the body.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{error, fmt, io};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{StatusCode, Uri, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower_pool::{Manage, ObjectPool, ObjectStats, PooledObject};

use crate::app::App;
use crate::facts;
use crate::problem::Problem;

/// How this server calls itself in `Via`, where it recognises its own requests.
const PSEUDONYM: &str = "tower-example";
/// How long a request waits for a connection, and for the head of a response: from the last [`PIECE`] of its body on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a body that have a request be waited for longer: as many as a client must send in that time (`min-rate`).
const PIECE: usize = 2400;

/// How many connections more a request is given to.
const ATTEMPTS: usize = 3;

/// Headers that concern one connection and are not passed on (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// The same, without a name of RFC 9110: older clients send them.
const OLD_HOP_BY_HOP: [&str; 2] = ["keep-alive", "proxy-connection"];

type Connection = SendRequest<Body>;
type Pooled = PooledObject<Connection, Upstream>;

/// Makes connections to one upstream.
#[derive(Debug)]
struct Upstream(SocketAddr);

impl Manage<Connection> for Upstream {
    type Error = ConnectError;

    async fn create(&self) -> Result<Connection, ConnectError> {
        let stream = TcpStream::connect(self.0)
            .await
            .map_err(ConnectError::Tcp)?;
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Http)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an upstream connection ended");
            }
        });
        Ok(sender)
    }

    async fn validate(&self, connection: &mut Connection) -> bool {
        // Ready only when the response before was read to its end and the upstream has not closed.
        connection.ready().await.is_ok()
    }
}

/// The proxies of all configurations that were ever in force: coming back to an upstream finds its connections.
#[derive(Debug, Default)]
pub(crate) struct Proxies(Mutex<BTreeMap<SocketAddr, Arc<Proxy>>>);

impl Proxies {
    /// The proxy to the upstream at this address.
    pub(crate) fn to(&self, upstream: SocketAddr) -> Arc<Proxy> {
        let mut proxies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let proxy = proxies.entry(upstream);
        proxy
            .or_insert_with(|| Arc::new(Proxy::new(upstream)))
            .clone()
    }

    /// The figures of all pools of connections.
    pub(crate) fn figures(&self) -> Vec<(SocketAddr, ObjectStats)> {
        let proxies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = proxies
            .iter()
            .map(|(upstream, proxy)| (*upstream, proxy.connections.stats()));
        figures.collect()
    }
}

/// The proxy to one upstream.
pub(crate) struct Proxy {
    connections: ObjectPool<Connection, Upstream>,
    authority: HeaderValue,
}

impl Proxy {
    /// A proxy to the upstream at this address.
    fn new(upstream: SocketAddr) -> Self {
        Proxy {
            connections: ObjectPool::builder(Upstream(upstream))
                .limit(256)
                .max_idle(Duration::from_secs(20))
                .max_age(Duration::from_secs(3600))
                .build(),
            authority: HeaderValue::try_from(upstream.to_string())
                .expect("an address is visible ASCII"),
        }
    }

    async fn forward(&self, request: Request) -> Result<Response, Problem> {
        let (response, connection) = self.send(request).await?;
        let (mut parts, body) = response.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        parts.headers.append(header::VIA, via(parts.version));
        let body = ProxyBody {
            body,
            connection: Some(connection),
        };
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// Sends a request over a pooled connection. When the upstream closes it at that moment, the request goes over another one, if
    /// it was not sent yet, or may be sent twice (RFC 9110 §9.2.2).
    async fn send(
        &self,
        mut request: Request,
    ) -> Result<(http::Response<Incoming>, Pooled), Problem> {
        let progress = note_progress(&mut request);
        let mut attempts = 0..ATTEMPTS;
        let copy = repeatable(&request);
        loop {
            let connection = self.connections.acquire_timeout(PATIENCE).await;
            let mut connection = connection.map_err(|error| bad_gateway(&error))?;
            let sent = connection.try_send_request(request);
            match patiently(sent, &progress).await {
                Some(Ok(response)) => return Ok((response, connection)),
                Some(Err(mut error)) => {
                    let copy = copy.as_ref().filter(|_| !error.error().is_parse());
                    let copy = copy.map(|copy| copy.clone().map(|()| Body::empty()));
                    let again = error.take_message().or(copy);
                    match (again, attempts.next()) {
                        (Some(again), Some(_)) => request = again,
                        _ => return Err(bad_gateway(error.error())),
                    }
                }
                None => {
                    let detail = "the upstream did not answer in time";
                    return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail));
                }
            }
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// `/proxy/{*path}`: the same request, to the upstream.
pub(crate) async fn forward(State(app): State<App>, mut request: Request) -> Response {
    let Some(proxy) = &app.proxy else {
        let detail = "there is no upstream; the setting proxy-upstream names one";
        return Problem::new(StatusCode::NOT_FOUND, detail).into_response();
    };
    if let Err(problem) = prepare(&mut request, &proxy.authority) {
        return problem.into_response();
    }
    proxy
        .forward(request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

/// Turns a request to this server into one to the upstream.
fn prepare(request: &mut Request, authority: &HeaderValue) -> Result<(), Problem> {
    let was_here = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|hop| hop.trim().ends_with(PSEUDONYM))
    };
    if request.headers().get_all(header::VIA).iter().any(was_here) {
        let detail = "the request came from this proxy";
        return Err(Problem::new(StatusCode::LOOP_DETECTED, detail));
    }
    let whole = request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str);
    let path = whole.strip_prefix("/proxy").unwrap_or(whole);
    *request.uri_mut() = Uri::try_from(path)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "what follows /proxy is not a path"))?;
    let version = request.version();
    let peer = facts::peer();
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    join_cookies(headers);
    headers.insert(header::HOST, authority.clone());
    headers.append(header::VIA, via(version));
    facts::propagation().put(headers);
    if let Some(peer) = peer {
        let address = HeaderValue::try_from(peer.address.ip().to_string());
        headers.append(
            "x-forwarded-for",
            address.expect("an address is visible ASCII"),
        );
        headers.insert(
            "x-forwarded-proto",
            HeaderValue::from_static(peer.port.name()),
        );
    }
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}

/// Tells of every [`PIECE`] of the request's body that is passed on.
fn note_progress(request: &mut Request) -> Arc<Notify> {
    let progress = Arc::new(Notify::new());
    if !request.body().is_end_stream() {
        let body = std::mem::take(request.body_mut());
        let told = progress.clone();
        let mut passed = 0;
        let noted = body.map_frame(move |frame| {
            passed += frame.data_ref().map_or(0, bytes::Bytes::len);
            if passed >= PIECE {
                passed = 0;
                told.notify_one();
            }
            frame
        });
        *request.body_mut() = Body::new(noted);
    }
    progress
}

/// Waits for a response, for [`PATIENCE`] from the last progress on.
async fn patiently<T>(response: impl Future<Output = T>, progress: &Notify) -> Option<T> {
    let mut response = pin!(response);
    loop {
        tokio::select! {
            response = &mut response => return Some(response),
            () = progress.notified() => {}
            () = tokio::time::sleep(PATIENCE) => return None,
        }
    }
}

/// The head of a request that may be sent once more, as it has no body and changes nothing.
fn repeatable(request: &Request) -> Option<http::Request<()>> {
    let may = request.method().is_safe() && request.body().is_end_stream();
    may.then(|| {
        let mut copy = http::Request::new(());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // `Connection` names more of them.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    for name in OLD_HOP_BY_HOP {
        headers.remove(name);
    }
}

/// HTTP/2 may send each cookie in a field of its own; HTTP/1.1 has them in one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() < 2 {
        return;
    }
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    headers.insert(
        header::COOKIE,
        joined.expect("what joins values is a value"),
    );
}

/// RFC 9110 §7.6.3
fn via(version: Version) -> HeaderValue {
    let number = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    HeaderValue::try_from(format!("{number} {PSEUDONYM}")).expect("it is visible ASCII")
}

fn bad_gateway(error: &(dyn error::Error + 'static)) -> Problem {
    tracing::warn!(error, "the upstream could not be asked");
    Problem::new(StatusCode::BAD_GATEWAY, "the upstream could not be asked")
}

/// The body of an upstream's response; it holds the connection until its end.
struct ProxyBody {
    body: Incoming,
    connection: Option<Pooled>,
}

impl HttpBody for ProxyBody {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.connection = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why there is no connection to the upstream.
#[derive(Debug)]
enum ConnectError {
    Tcp(io::Error),
    Http(hyper::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect to the upstream")
    }
}

impl error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ConnectError::Tcp(source) => Some(source),
            ConnectError::Http(source) => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upstream_has_time_from_the_last_piece_on() {
        let begun = Instant::now();
        let progress = Notify::new();
        let slow_upload = async {
            for _ in 0..10 {
                sleep(PATIENCE / 2).await;
                progress.notify_one();
            }
            sleep(PATIENCE / 2).await;
            "answered"
        };
        let answered = patiently(slow_upload, &progress).await;
        assert_eq!(answered, Some("answered"));
        assert_eq!(begun.elapsed(), PATIENCE * 11 / 2);
        let never = std::future::pending::<()>();
        assert_eq!(patiently(never, &progress).await, None);
        assert_eq!(begun.elapsed(), PATIENCE * 13 / 2);
    }
}
