//! `/proxy/*`: a reverse proxy whose upstream connections come from tower-pool's `ObjectPool`.
//!
//! A connection is out for as long as a response is read from it, and comes home with the end of the body.

mod headers;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{error, fmt};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{self, HeaderValue};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tower_pool::{ObjectPool, ObjectStats};

use self::headers::{prepare, remove_hop_by_hop, via};
use self::upstream::{Connection, Pooled, ProxyBody, Upstream};
use crate::app::App;
use crate::problem::Problem;

/// How long a request waits for a connection, and for the head of a response: from the last [`PIECE`] of its body on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a body that have a request be waited for longer: as many as a client must send in that time (`min-rate`).
const PIECE: usize = 2400;

/// For how long a connection is kept unused; less than most upstreams keep one.
const UNUSED: Duration = Duration::from_secs(20);

/// How many connections more a request is given to.
const ATTEMPTS: usize = 3;

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

    /// Lets go of connections that nobody uses, over and over. The last one used is the first to be used again, so that some are
    /// met by nobody, and upstreams close them.
    pub(crate) async fn maintain(&self) {
        let mut ticks = tokio::time::interval(UNUSED / 4);
        loop {
            ticks.tick().await;
            let proxies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for proxy in proxies.values() {
                proxy.connections.evict_expired();
            }
        }
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
                .max_idle(UNUSED)
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

/// Tells of every [`PIECE`] of the request's body that is passed on.
fn note_progress(request: &mut Request) -> Arc<Notify> {
    let progress = Arc::new(Notify::new());
    if !request.body().is_end_stream() {
        let body = std::mem::take(request.body_mut());
        let told = progress.clone();
        let mut passed = 0;
        let noted = body.map_frame(move |frame| {
            passed += frame.data_ref().map_or(0, Bytes::len);
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

fn bad_gateway(error: &(dyn error::Error + 'static)) -> Problem {
    tracing::warn!(error, "the upstream could not be asked");
    Problem::new(StatusCode::BAD_GATEWAY, "the upstream could not be asked")
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
