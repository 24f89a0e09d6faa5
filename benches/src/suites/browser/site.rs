//! The application: the same for every server.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;

use super::record::Written;

/// A resource of the page. The last byte of whatever is written of it is its mark, so that frames are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    pub(super) mark: u8,
    pub(super) path: &'static str,
    pub(super) size: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Style,
    Script,
    Image,
}

/// In the order in which the page names them.
pub(super) const RESOURCES: &[Resource] = &[
    resource(b'P', "/prefetch/1.js", 300_000, Kind::Script),
    resource(b'Q', "/prefetch/2.js", 300_000, Kind::Script),
    resource(b'C', "/style.css", 60_000, Kind::Style),
    resource(b'I', "/import.css", 40_000, Kind::Style),
    resource(b'S', "/blocking.js", 60_000, Kind::Script),
    resource(b'A', "/async.js", 60_000, Kind::Script),
    resource(b'D', "/defer.js", 60_000, Kind::Script),
    resource(b'1', "/image/1.png", 250_000, Kind::Image),
    resource(b'2', "/image/2.png", 250_000, Kind::Image),
    resource(b'3', "/image/3.png", 250_000, Kind::Image),
    resource(b'4', "/image/4.png", 250_000, Kind::Image),
    resource(b'5', "/image/5.png", 250_000, Kind::Image),
    resource(b'6', "/image/6.png", 250_000, Kind::Image),
    resource(b'F', "/data.js", 50_000, Kind::Script),
];

const fn resource(mark: u8, path: &'static str, size: usize, kind: Kind) -> Resource {
    Resource {
        mark,
        path,
        size,
        kind,
    }
}

impl Resource {
    /// Something its consumer accepts, filled up with the mark.
    fn body(&self) -> Bytes {
        // A pixel; decoders look at nothing behind its end.
        const PIXEL: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\x0aIDATx\x9cch\x00\x00\x00\x82\x00\x81w\xcdr\xb6\x00\x00\x00\x00IEND\xaeB`\x82";
        let mut body = match self.kind {
            Kind::Style if self.path == "/style.css" => b"@import url(/import.css);\n/*".to_vec(),
            Kind::Style => b"body { margin: 8px; font-family: sans-serif }\nimg { display: block; width: 600px; height: 300px }\n/*".to_vec(),
            Kind::Script => b"window.ran = (window.ran || 0) + 1;\n//".to_vec(),
            Kind::Image => PIXEL.to_vec(),
        };
        // What is left open at the end of a style sheet or a script is a comment.
        body.resize(self.size, self.mark);
        body.into()
    }

    fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Style => "text/css",
            Kind::Script => "text/javascript",
            Kind::Image => "image/png",
        }
    }
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Duration,
    pub(super) path: String,
    pub(super) priority: String,
}

/// What is known of one visit.
#[derive(Clone, Debug, Default)]
pub(super) struct Visit {
    pub(super) asked: Vec<Asked>,
    pub(super) written: Vec<Written>,
    /// What the page posted.
    pub(super) report: Value,
}

/// What the server and the driver share.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Mutex<Entries>>);

#[derive(Debug)]
struct Entries {
    begun: Instant,
    visit: Visit,
    done: bool,
}

impl Log {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Entries {
            begun: Instant::now(),
            visit: Visit::default(),
            done: false,
        })))
    }

    /// Forgets the last visit.
    pub(super) fn restart(&self) {
        self.with(|entries| {
            *entries = Entries {
                begun: Instant::now(),
                visit: Visit::default(),
                done: false,
            };
        });
    }

    /// The visit, once the page has reported.
    pub(super) fn finished(&self) -> Option<Visit> {
        self.with(|entries| entries.done.then(|| entries.visit.clone()))
    }

    pub(super) fn wrote(&self, mark: u8, bytes: usize) {
        self.with(|entries| {
            let at = entries.begun.elapsed();
            entries.visit.written.push(Written { at, mark, bytes });
        });
    }

    fn with<R>(&self, work: impl FnOnce(&mut Entries) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn app(log: Log) -> Router {
    let mut app = Router::new()
        .route("/page", get(|| async { Html(page()) }))
        .route("/urgent", get(|| async { Html(URGENT) }))
        .route("/bulk/{n}", get(plain(500_000)))
        .route("/small", get(plain(50_000)))
        .route("/report", post(report));
    for resource in RESOURCES {
        let body = resource.body();
        let content_type = resource.content_type();
        app = app.route(
            resource.path,
            get(move || async move { ([(header::CONTENT_TYPE, content_type)], body) }),
        );
    }
    app.fallback(|| async { StatusCode::NO_CONTENT })
        .layer(middleware::from_fn_with_state(log.clone(), ask))
        .with_state(log)
}

fn plain(size: usize) -> impl Fn() -> std::future::Ready<Bytes> + Clone {
    let body = Bytes::from(vec![b'x'; size]);
    move || std::future::ready(body.clone())
}

async fn ask(State(log): State<Log>, request: Request, next: Next) -> Response {
    let priority = request
        .headers()
        .get("priority")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let path = request.uri().path().to_owned();
    log.with(|entries| {
        let at = entries.begun.elapsed();
        entries.visit.asked.push(Asked { at, path, priority });
    });
    next.run(request).await
}

async fn report(State(log): State<Log>, body: Bytes) -> impl IntoResponse {
    log.with(|entries| {
        entries.visit.report = serde_json::from_slice(&body).unwrap_or_default();
        entries.done = true;
    });
    StatusCode::NO_CONTENT
}

/// Ten fetches in the background, and after half a second one that is urgent.
const URGENT: &str = r#"<!doctype html><title>urgent</title><script>
const body = async (path, priority) =>
  (await fetch(path, { priority, cache: "no-store" })).arrayBuffer();
(async () => {
  const begun = performance.now();
  const bulk = [...Array(10).keys()].map(n => body("/bulk/" + n, "low"));
  await new Promise(done => setTimeout(done, 500));
  const asked = performance.now();
  await body("/small", "high");
  const urgent = performance.now() - asked;
  await Promise.all(bulk);
  const all = performance.now() - begun;
  await fetch("/report", { method: "POST", body: JSON.stringify({ urgent, all }) });
})();
</script>"#;

/// A page whose first paint waits for a style sheet that another one imports, so that it is asked for when images are
/// under way already. When all scripts have run, one of them fetches data, urgently. It reports when all of it is there.
fn page() -> String {
    let images: String = RESOURCES
        .iter()
        .filter(|resource| matches!(resource.kind, Kind::Image))
        .map(|resource| format!("<img src={}>\n", resource.path))
        .collect();
    format!(
        "<!doctype html><title>page</title>
<link rel=prefetch href=/prefetch/1.js>
<link rel=prefetch href=/prefetch/2.js>
<link rel=stylesheet href=/style.css>
<script src=/blocking.js></script>
<script async src=/async.js></script>
<script defer src=/defer.js></script>
<body><h1>The first paint</h1>
{images}<script>const expected = {};{REPORT}</script>",
        RESOURCES.len()
    )
}

const REPORT: &str = r#"
let data;
addEventListener("DOMContentLoaded", async () => {
  const asked = performance.now();
  await (await fetch("/data.js", { priority: "high" })).arrayBuffer();
  data = performance.now() - asked;
});
addEventListener("load", async () => {
  const load = performance.now();
  const there = () => performance.getEntriesByType("resource").filter(entry => entry.responseEnd > 0);
  const paints = () => performance.getEntriesByName("first-contentful-paint");
  while (there().length < expected || paints().length == 0 || data === undefined)
    await new Promise(done => setTimeout(done, 20));
  const report = { paint: paints()[0].startTime, data, load };
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });
});"#;
