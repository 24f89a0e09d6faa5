//! Traces for OpenTelemetry: a span for each request, by OTLP over HTTP in its JSON form (`POST /v1/traces`).
//!
//! A request puts its span into a bounded queue and goes on. A thread of its own sends what has gathered: once a second
//! where that is little, otherwise [`BATCH`] at once, [`INTERVAL`] after each other, which is ten thousand spans a second.
//! Spans that find the queue full since there are more, and those that no collector takes, are dropped and counted. So a
//! collector that is slow or away costs requests nothing, and one that is there no more than a part of one core.
//!
//! Whether a request has a span is its caller's decision, where it comes with one (see [`Parent`]).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::abort::Abort;
use super::bounds;
use super::trace_context::{Parent, SpanContext};
use super::traffic::RouteTraffic;

/// Spans that may wait to be sent.
const QUEUE: usize = 8192;
/// Spans sent at once, at most.
const BATCH: usize = 1024;
/// How long spans gather, unless there are so many before.
const GATHER: Duration = Duration::from_secs(1);
/// From the beginning of an export to that of the next, at least.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where spans go.
#[derive(Debug, Clone)]
pub(crate) struct Tracer {
    spans: SyncSender<Message>,
    fates: Arc<Fates>,
}

/// What became of spans since the start.
#[derive(Debug, Default)]
struct Fates {
    exported: AtomicU64,
    dropped: AtomicU64,
}

/// What the thread is sent.
#[derive(Debug)]
enum Message {
    Span(Span),
    /// What was sent before is to go to the collector, and then this told.
    Sent(SyncSender<()>),
}

/// The span of a request: what is known when it begins, and what when it ends.
#[derive(Debug)]
pub(super) struct Span {
    context: SpanContext,
    /// The caller's span; `None` where the trace begins.
    parent: Option<u64>,
    method: Method,
    path: String,
    route: Option<Arc<RouteTraffic>>,
    status: Option<StatusCode>,
    abort: Option<Abort>,
    began: SystemTime,
    started: Instant,
    took: Duration,
}

impl Span {
    pub(super) fn context(&self) -> SpanContext {
        self.context
    }

    /// Whether the trace begins with it.
    pub(super) fn is_root(&self) -> bool {
        self.parent.is_none()
    }
}

impl Tracer {
    /// Sends to the collector at this address from now on.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(crate) fn start(collector: SocketAddr) -> io::Result<Self> {
        let (spans, receiver) = sync_channel(QUEUE);
        let fates = Arc::new(Fates::default());
        let counted = fates.clone();
        thread::Builder::new()
            .name("traces".into())
            .spawn(move || run(collector, &receiver, &counted))?;
        Ok(Tracer { spans, fates })
    }

    /// Spans that the collector has taken since the start.
    pub(crate) fn exported(&self) -> u64 {
        self.fates.exported.load(Ordering::Relaxed)
    }

    /// Spans lost since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.fates.dropped.load(Ordering::Relaxed)
    }

    /// The span of a request that begins now: in the trace that its headers name, or in a new one. `None` if the caller wants
    /// none.
    pub(super) fn begin(&self, headers: &HeaderMap, method: &Method, path: &str) -> Option<Span> {
        let (context, parent) = match Parent::of(headers) {
            Parent::None => (SpanContext::root(), None),
            Parent::Sampled(parent) => (parent.child(), Some(parent.span)),
            Parent::Unsampled => return None,
        };
        Some(Span {
            context,
            parent,
            method: bounds::method(method),
            path: bounds::path(path),
            route: None,
            status: None,
            abort: None,
            began: SystemTime::now(),
            started: Instant::now(),
            took: Duration::ZERO,
        })
    }

    /// Ends a span now, and has it sent.
    pub(super) fn end(
        &self,
        mut span: Span,
        route: Option<Arc<RouteTraffic>>,
        status: Option<StatusCode>,
        abort: Option<Abort>,
    ) {
        span.route = route;
        span.status = status;
        span.abort = abort;
        span.took = span.started.elapsed();
        if self.spans.try_send(Message::Span(span)).is_err() {
            self.fates.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the collector has had the spans so far, but not for longer than `patience`. Returns whether it was asked
    /// to take all of them.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let (sent, wait) = sync_channel(1);
        let spans = self.spans.clone();
        // It waits for room in the queue, and the caller does not wait for it.
        let asked = thread::Builder::new().spawn(move || _ = spans.send(Message::Sent(sent)));
        asked.is_ok() && wait.recv_timeout(patience).is_ok()
    }
}

fn run(collector: SocketAddr, messages: &Receiver<Message>, fates: &Fates) {
    let mut last: Option<Instant> = None;
    while let Ok(first) = messages.recv() {
        let mut batch = Vec::new();
        let deadline = Instant::now() + GATHER;
        let mut next = Some(first);
        let told = loop {
            match next.take() {
                Some(Message::Span(span)) => batch.push(span),
                Some(Message::Sent(tell)) => break Some(tell),
                None => break None,
            }
            if batch.len() == BATCH {
                break None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            next = messages.recv_timeout(left).ok();
        };
        if !batch.is_empty() {
            thread::sleep(too_early(last, Instant::now()));
            last = Some(Instant::now());
            let fate = match send(collector, &batch) {
                Ok(()) => &fates.exported,
                Err(error) => {
                    tracing::debug!(%error, "the collector takes no traces");
                    &fates.dropped
                }
            };
            fate.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        if let Some(tell) = told {
            let _ = tell.try_send(());
        }
    }
}

/// How long the next export is to wait, after the last one began.
fn too_early(last: Option<Instant>, now: Instant) -> Duration {
    last.map_or(Duration::ZERO, |last| {
        (last + INTERVAL).saturating_duration_since(now)
    })
}

/// A connection for each batch: there are ten a second at most.
fn send(collector: SocketAddr, batch: &[Span]) -> io::Result<()> {
    let body = request(batch).to_string();
    let mut stream = TcpStream::connect_timeout(&collector, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {collector}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    match &status {
        b"HTTP/1.1 200" | b"HTTP/1.0 200" | b"HTTP/1.1 202" => Ok(()),
        other => Err(io::Error::other(
            String::from_utf8_lossy(other).into_owned(),
        )),
    }
}

/// `ExportTraceServiceRequest` in the JSON mapping of OTLP: ids in hex, 64-bit numbers as strings.
fn request(batch: &[Span]) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans = batch.iter().map(|span| {
        let route = span.route.as_ref().map(|route| route.pattern());
        let nanos = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_nanos().to_string()
        };
        let mut attributes = vec![
            text("http.request.method", span.method.as_str()),
            text("url.path", &span.path),
        ];
        attributes.extend(route.map(|route| text("http.route", route)));
        if let Some(status) = span.status {
            let status = json!({"intValue": status.as_u16().to_string()});
            attributes.push(json!({"key": "http.response.status_code", "value": status}));
        }
        if let Some(error) = error_type(span) {
            attributes.push(text("error.type", &error));
        }
        // An error is the server's own; who leaves early makes none.
        let failed = span.abort == Some(Abort::Source)
            || span.status.is_some_and(|status| status.is_server_error());
        json!({
            "traceId": format!("{:032x}", span.context.trace),
            "spanId": format!("{:016x}", span.context.span),
            "parentSpanId": span.parent.map(|id| format!("{id:016x}")).unwrap_or_default(),
            "name": name(&span.method, route),
            // A server's.
            "kind": 2,
            "startTimeUnixNano": nanos(span.began),
            "endTimeUnixNano": nanos(span.began + span.took),
            "attributes": attributes,
            // 0 is "unset".
            "status": {"code": if failed { 2 } else { 0 }},
        })
    });
    json!({
        "resourceSpans": [{
            "resource": {"attributes": [text("service.name", "server")]},
            "scopeSpans": [{"scope": {"name": "server"}, "spans": spans.collect::<Vec<_>>()}],
        }],
    })
}

/// The method and the route; a route that there is not is not made up, or every path would be one (the semantic conventions of
/// OpenTelemetry for HTTP).
fn name(method: &Method, route: Option<&str>) -> String {
    match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_string(),
    }
}

/// Why a request has no whole response, or one that says that the server failed.
fn error_type(span: &Span) -> Option<String> {
    match (span.abort, span.status) {
        (Some(abort), _) => Some(format!("aborted_{}", abort.name())),
        (None, Some(status)) if status.is_server_error() => Some(status.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_keep_their_distance() {
        let begun = Instant::now();
        assert_eq!(too_early(None, begun), Duration::ZERO);
        assert_eq!(too_early(Some(begun), begun), INTERVAL);
        assert_eq!(
            too_early(Some(begun), begun + INTERVAL / 4),
            INTERVAL * 3 / 4
        );
        assert_eq!(too_early(Some(begun), begun + INTERVAL * 2), Duration::ZERO);
    }
}
