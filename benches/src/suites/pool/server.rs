//! The servers: the same routes over axum's extractors, over pooled ones, and under the layer.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_pool::{
    BodyPool, BoundedReadsListener, HeapTrim, Maintenance, Pool, PooledBodyLayer, PooledBytes,
    PooledJson,
};

use crate::{hot::HotPath, process::announce};

/// A row of the JSON, 47 bytes of text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    id: u32,
    name: String,
    score: f64,
}

/// So many rows that their JSON is about `bytes` long.
pub(super) fn rows(bytes: usize) -> Vec<Row> {
    let row = |id: u32| Row {
        id: 100_000 + id,
        name: format!("customer {id:05}"),
        score: f64::from(id) + 0.5,
    };
    let mut rows = Vec::new();
    let mut length = 2;
    for id in 0.. {
        let next = row(id);
        length += 1 + serde_json::to_string(&next).map_or(0, |text| text.len());
        rows.push(next);
        if length >= bytes {
            break;
        }
    }
    rows
}

/// The responses, by size.
struct Tables(Vec<(usize, Vec<Row>)>);

pub(super) const SIZES: [usize; 3] = [1 << 10, 64 << 10, 1 << 20];

impl Tables {
    fn new() -> Arc<Self> {
        Arc::new(Self(SIZES.iter().map(|&size| (size, rows(size))).collect()))
    }

    fn of(&self, size: usize) -> &[Row] {
        let found = self.0.iter().find(|(known, _)| *known == size);
        found.map_or(&[], |(_, rows)| rows)
    }
}

#[derive(Clone)]
struct Shared {
    tables: Arc<Tables>,
    bodies: BodyPool,
}

impl axum::extract::FromRef<Shared> for BodyPool {
    fn from_ref(shared: &Shared) -> Self {
        shared.bodies.clone()
    }
}

/// The bytes are read, as a handler would.
fn digest(body: &[u8]) -> String {
    let (length, sum) = sum_of(body);
    format!("{length} {sum}")
}

fn sum_of(bytes: &[u8]) -> (usize, u64) {
    let every = bytes.iter().step_by(64);
    (
        bytes.len(),
        every.fold(0, |sum, &byte| sum + u64::from(byte)),
    )
}

fn plain(shared: Shared) -> Router {
    Router::new()
        .route("/bytes", post(async |body: Bytes| digest(&body)))
        .route(
            "/json",
            post(async |Json(rows): Json<Vec<Row>>| rows.len().to_string()),
        )
        .route(
            "/rows/{size}",
            get(
                async |State(shared): State<Shared>, Path(size): Path<usize>| {
                    Json(shared.tables.of(size)).into_response()
                },
            ),
        )
        .layer(DefaultBodyLimit::max(4 << 20))
        .with_state(shared)
}

async fn pooled_rows(State(shared): State<Shared>, Path(size): Path<usize>) -> Response {
    PooledJson(shared.tables.of(size)).response(shared.bodies.pool())
}

fn pooled(shared: Shared) -> Router {
    Router::new()
        .route(
            "/bytes",
            post(async |PooledBytes(body): PooledBytes| digest(&body)),
        )
        .route(
            "/json",
            post(async |PooledJson(rows): PooledJson<Vec<Row>>| rows.len().to_string()),
        )
        .route("/rows/{size}", get(pooled_rows))
        .with_state(shared)
}

fn layered(shared: Shared) -> Router {
    let layer = PooledBodyLayer::new(shared.bodies.clone());
    pooled(shared).layer(layer)
}

/// What no assembly can beat: every frame is read and dropped.
fn discarding(shared: Shared) -> Router {
    let discard = async |body: Body| {
        let mut body = std::pin::pin!(body);
        let (mut length, mut sum) = (0, 0);
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                let (more, part) = sum_of(&data);
                length += more;
                sum += part;
            }
        }
        format!("{length} {sum}")
    };
    Router::new()
        .route("/bytes", post(discard))
        .with_state(shared)
}

/// Serves until the process ends: `axum`, `extractors`, `layer`, or `budget`, which has 64 MiB, reads at most 4 KiB at
/// once, as what 400 connections read into is outside of the budget, and trims glibc's heap with the pool.
pub(super) fn serve(what: &str) -> Result<(), String> {
    let bounded = what == "budget";
    let limit = if bounded { 64 << 20 } else { 256 << 20 };
    let pool = Pool::builder()
        .limit(limit)
        .build()
        .map_err(|e| e.to_string())?;
    let shared = Shared {
        tables: Tables::new(),
        bodies: BodyPool::new(pool.clone())
            .limit(4 << 20)
            .budget_wait(Duration::from_secs(60)),
    };
    let app = match what {
        "axum" => plain(shared),
        "extractors" | "budget" => pooled(shared),
        "layer" => layered(shared),
        "floor" => discarding(shared),
        other => return Err(format!("`{other}` is no server of this suite")),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("the runtime: {e}"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|e| format!("binding to the loopback interface: {e}"))?;
        announce(listener.local_addr().map_err(|e| e.to_string())?);
        let heap = if bounded {
            HeapTrim::WithPool
        } else {
            HeapTrim::Never
        };
        tokio::spawn(Maintenance::new(pool).heap(heap).run());
        let listener = listener.tap_io(|stream| {
            // Best effort, the same for all.
            let _ = stream.set_nodelay(true);
        });
        let served = if bounded {
            axum::serve(BoundedReadsListener::new(listener, 4 << 10), app).await
        } else {
            axum::serve(listener, app).await
        };
        served.map_err(|e| e.to_string())
    })
}

/// A body of 64 KiB in 45 frames, collected in this process.
pub(super) fn collect_hot_path() -> HotPath {
    HotPath::new("collect 64 KiB in 45 frames", 10, || {
        let bodies = BodyPool::new(Pool::new());
        let whole = Bytes::from(vec![7; 64 << 10]);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        Box::new(move || {
            for _ in 0..10 {
                let mut collect = std::pin::pin!(bodies.collect(Frames::of(&whole, 45)));
                let read = collect.as_mut().poll(&mut context);
                assert!(matches!(read, std::task::Poll::Ready(Ok(body)) if body.len() == 64 << 10));
            }
        })
    })
}

/// A body whose frames are all there.
struct Frames {
    rest: Bytes,
    frame: usize,
}

impl Frames {
    fn of(whole: &Bytes, frames: usize) -> Self {
        Self {
            rest: whole.clone(),
            frame: whole.len().div_ceil(frames),
        }
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            return std::task::Poll::Ready(None);
        }
        let length = self.frame.min(self.rest.len());
        let frame = self.rest.split_to(length);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(frame))))
    }
}
