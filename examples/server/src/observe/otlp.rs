//! Traces for OpenTelemetry: a span for each request, by OTLP over HTTP in its JSON form (`POST /v1/traces`).
//!
//! A request puts its span into a bounded queue and goes on. A thread of its own sends what has gathered once a second;
//! spans that find the queue full, and those that no collector takes, are dropped and counted. So a collector that is
//! slow or away costs requests nothing.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::request_id;

/// Spans that may wait to be sent.
const QUEUE: usize = 8192;
/// Spans sent at once.
const BATCH: usize = 512;
/// How long spans gather.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where spans go.
#[derive(Debug, Clone)]
pub(crate) struct Tracer {
    spans: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// What the thread is sent.
#[derive(Debug)]
enum Message {
    Span(Span),
    /// What was sent before is to go to the collector, and then this told.
    Sent(SyncSender<()>),
}

/// What is known of a request when it begins.
#[derive(Debug)]
pub(super) struct Span {
    trace: String,
    id: String,
    parent: Option<String>,
    method: Method,
    path: String,
    route: Option<String>,
    status: u16,
    began: SystemTime,
    took: Duration,
}

impl Span {
    /// The id of its trace, of 32 hex digits.
    pub(super) fn trace(&self) -> &str {
        &self.trace
    }
}

impl Tracer {
    /// Sends to the collector at this address from now on.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(crate) fn start(collector: SocketAddr) -> io::Result<Self> {
        let (spans, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        thread::Builder::new()
            .name("traces".into())
            .spawn(move || run(collector, &receiver, &counter))?;
        Ok(Tracer { spans, dropped })
    }

    /// Spans lost since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The span of a request that begins now: in the trace that `traceparent` names (W3C Trace Context), or in a new one.
    pub(super) fn begin(headers: &HeaderMap, method: &Method, path: &str) -> Span {
        let given = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok());
        let (trace, parent) = match given.and_then(parse) {
            Some((trace, parent)) => (trace.to_owned(), Some(parent.to_owned())),
            None => (request_id::fresh_text(), None),
        };
        Span {
            trace,
            id: request_id::fresh_span(),
            parent,
            method: method.clone(),
            path: path.to_owned(),
            route: None,
            status: 0,
            began: SystemTime::now(),
            took: Duration::ZERO,
        }
    }

    pub(super) fn end(
        &self,
        mut span: Span,
        route: Option<&str>,
        status: StatusCode,
        took: Duration,
    ) {
        span.route = route.map(str::to_owned);
        span.status = status.as_u16();
        span.took = took;
        if self.spans.try_send(Message::Span(span)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
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

/// `00-` trace id `-` parent id `-` flags, of 32, 16 and 2 lower-case hex digits, neither id all zeros.
fn parse(traceparent: &str) -> Option<(&str, &str)> {
    let is_hex = |text: &str, length: usize| {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.len() == length && text.bytes().all(digit)
    };
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_some = |id: &str| id.bytes().any(|byte| byte != b'0');
    let valid = version == "00" && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    (valid && parts.next().is_none() && is_some(trace) && is_some(parent))
        .then_some((trace, parent))
}

fn run(collector: SocketAddr, messages: &Receiver<Message>, dropped: &AtomicU64) {
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
        if !batch.is_empty()
            && let Err(error) = send(collector, &batch)
        {
            dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
            tracing::debug!(%error, "the collector takes no traces");
        }
        if let Some(tell) = told {
            let _ = tell.try_send(());
        }
    }
}

/// A connection for each batch: there is one a second at most.
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
        let route = span.route.as_deref().unwrap_or("unmatched");
        let nanos = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_nanos().to_string()
        };
        json!({
            "traceId": span.trace,
            "spanId": span.id,
            "parentSpanId": span.parent.as_deref().unwrap_or_default(),
            "name": format!("{} {route}", span.method),
            // A server's.
            "kind": 2,
            "startTimeUnixNano": nanos(span.began),
            "endTimeUnixNano": nanos(span.began + span.took),
            "attributes": [
                text("http.request.method", span.method.as_str()),
                text("http.route", route),
                text("url.path", &span.path),
                json!({"key": "http.response.status_code", "value": {"intValue": span.status.to_string()}}),
            ],
            // An error is the server's own; 0 is "unset".
            "status": {"code": if span.status >= 500 { 2 } else { 0 }},
        })
    });
    json!({
        "resourceSpans": [{
            "resource": {"attributes": [text("service.name", "server")]},
            "scopeSpans": [{"scope": {"name": "server"}, "spans": spans.collect::<Vec<_>>()}],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_trace_parents_are_taken() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert_eq!(
            parse(&format!("00-{trace}-{parent}-01")),
            Some((trace, parent))
        );
        let zeros = "0".repeat(32);
        for wrong in [
            String::new(),
            format!("01-{trace}-{parent}-01"),
            format!("00-{trace}-{parent}"),
            format!("00-{trace}-{parent}-01-x"),
            format!("00-{zeros}-{parent}-01"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }
}
