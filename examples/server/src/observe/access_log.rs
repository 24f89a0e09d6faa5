//! A line for each request, in the Common Log Format or as JSON, on standard error: when its response begins, or when a long
//! one has ended, with the bytes that were handed to the connection. A request without a response has the status 499, as nginx
//! has it.
//!
//! Lines go through a bounded queue to a thread of their own: a slow terminal or disk delays no request. When
//! the queue is full lines are dropped, and counted.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use std::{iter, thread};

use http::{HeaderValue, Method, Request, StatusCode, Version};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::abort::Abort;
use super::bounds;
use crate::config::AccessLog;
use crate::serve::Peer;

/// What stands for the status of a request that nobody waited for the response of.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Lines that may wait to be written, each of which [`bounds`] keeps short.
const QUEUE: usize = 4096;

/// Lines that found the queue full.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Which requests are logged, and how.
#[derive(Debug, Clone)]
pub(crate) struct AccessLogger {
    format: AccessLog,
    sample: u32,
}

/// What is noted of a request before it is answered.
#[derive(Debug)]
pub(super) struct Line {
    peer: Option<Peer>,
    method: Method,
    path: String,
    version: Version,
}

/// How long a request has taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    /// From its head until its response began, or nobody waited for that any more.
    pub(super) to_response: Duration,
    /// From its head until now.
    pub(super) so_far: Duration,
}

impl AccessLogger {
    /// Logs one in `sample` requests, and every one that is answered by 500 or above, or whose response fails.
    pub(crate) fn new(format: AccessLog, sample: u32) -> Self {
        AccessLogger { format, sample }
    }

    /// Lines lost since the start.
    pub(crate) fn dropped() -> u64 {
        DROPPED.load(Ordering::Relaxed)
    }

    pub(super) fn wanted(&self) -> bool {
        self.format != AccessLog::Off
    }

    pub(super) fn write(
        &self,
        line: Line,
        status: Option<StatusCode>,
        bytes: Option<u64>,
        took: Took,
        id: &HeaderValue,
        abort: Option<Abort>,
    ) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let sampled = NEXT
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(self.sample);
        let status = status.map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16());
        if !sampled && status < 500 && abort != Some(Abort::Source) {
            return;
        }
        let now = OffsetDateTime::now_utc();
        let text = match self.format {
            AccessLog::Off => return,
            AccessLog::Common => common(&line, status, bytes, now),
            AccessLog::Json => {
                let entry = json!({
                    "time": now.format(&Rfc3339).unwrap_or_default(),
                    "id": id.to_str().unwrap_or_default(),
                    "peer": line.peer.map(|peer| peer.address.ip().to_string()),
                    "port": line.peer.map(|peer| peer.port.name()),
                    "method": line.method.as_str(),
                    "path": line.path,
                    "version": format!("{:?}", line.version),
                    "status": status,
                    "aborted": abort.map(Abort::name),
                    "bytes": bytes,
                    "micros": micros(took.to_response),
                    "total_micros": micros(took.so_far),
                });
                format!("{entry}\n")
            }
        };
        if WRITER.try_send(Message::Line(text)).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the lines so far are written, but not for longer than `patience`. Returns whether they are.
    pub(crate) fn flush(patience: Duration) -> bool {
        let (written, wait) = sync_channel(1);
        // It waits for room in the queue, and the caller does not wait for it.
        let asked =
            thread::Builder::new().spawn(move || _ = WRITER.send(Message::Written(written)));
        asked.is_ok() && wait.recv_timeout(patience).is_ok()
    }
}

impl Line {
    pub(super) fn of<B>(request: &Request<B>, peer: Option<Peer>) -> Self {
        let uri = request.uri();
        Line {
            peer,
            method: bounds::method(request.method()),
            path: bounds::path(
                uri.path_and_query()
                    .map_or(uri.path(), |path| path.as_str()),
            ),
            version: request.version(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `host ident authuser [date] "request" status bytes`
fn common(line: &Line, status: u16, bytes: Option<u64>, now: OffsetDateTime) -> String {
    let mut text = String::new();
    match line.peer {
        Some(peer) => _ = write!(text, "{}", peer.address.ip()),
        None => text.push('-'),
    }
    let month = &format!("{}", now.month())[..3];
    let _ = write!(
        text,
        " - - [{:02}/{month}/{}:{:02}:{:02}:{:02} +0000] \"{} {} {:?}\" {} ",
        now.day(),
        now.year(),
        now.hour(),
        now.minute(),
        now.second(),
        line.method,
        // A URI holds neither controls nor quotes that could forge a line.
        line.path.replace('"', "%22"),
        line.version,
        status,
    );
    match bytes {
        Some(bytes) => _ = writeln!(text, "{bytes}"),
        None => text.push_str("-\n"),
    }
    text
}

/// What the thread is sent.
enum Message {
    Line(String),
    /// What was sent before is to be written, and then this told.
    Written(SyncSender<()>),
}

/// The thread that writes, started by the first line.
static WRITER: LazyLock<SyncSender<Message>> = LazyLock::new(|| {
    let (sender, lines) = sync_channel(QUEUE);
    if let Err(error) = thread::Builder::new()
        .name("access-log".into())
        .spawn(move || write_all(&lines))
    {
        // The receiver is gone with the closure, so that every line counts as dropped.
        tracing::error!(%error, "no access log: its thread cannot be started");
    }
    sender
});

fn write_all(messages: &Receiver<Message>) {
    while let Ok(first) = messages.recv() {
        let mut text = String::new();
        let mut written = Vec::new();
        for message in iter::once(first).chain(messages.try_iter().take(QUEUE)) {
            match message {
                Message::Line(line) => text.push_str(&line),
                Message::Written(tell) => written.push(tell),
            }
        }
        // Whoever closed standard error does not want the log.
        let _ = io::stderr().lock().write_all(text.as_bytes());
        for tell in written {
            let _ = tell.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_format_is_the_common_format() {
        let request = Request::get("/a%20b?q=%22x%22")
            .body(())
            .expect("it is valid");
        let peer = Peer {
            address: ([127, 0, 0, 1], 9).into(),
            port: crate::serve::Port::Http,
        };
        let line = Line::of(&request, Some(peer));
        let now = OffsetDateTime::from_unix_timestamp(971_211_336).unwrap();
        let text = common(&line, 200, Some(2326), now);
        assert!(
            text.starts_with("127.0.0.1 - - [10/Oct/2000:20:55:36 +0000] \"GET "),
            "{text}"
        );
        assert!(text.ends_with(" HTTP/1.1\" 200 2326\n"), "{text}");
        assert_eq!(text.matches('"').count(), 2, "{text}");
    }
}
