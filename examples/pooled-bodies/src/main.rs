//! Uploads and JSON in pooled memory under a budget of 64 MiB, and pooled connections to an upstream.
//!
//! ```text
//! cargo run -p pooled-bodies -- 127.0.0.1:3000
//! curl --data-binary @Cargo.lock http://127.0.0.1:3000/lines
//! curl -H 'content-type: application/json' -d '[1,2,3]' http://127.0.0.1:3000/sum
//! curl http://127.0.0.1:3000/reversed/stressed
//! curl http://127.0.0.1:3000/pool
//! ```
//! Ctrl-C closes the pools and waits for what is out.
#![forbid(unsafe_code)]

mod upstream;

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use serde::Serialize;
use tower_pool::{
    BodyPool, BoundedReadsListener, LeakTracking, Maintenance, ObjectPool, Pool, PooledBody,
    PooledJson,
    context::{self, Context, ContextLayer, Reset},
};

/// What the program knows of a request.
#[derive(Debug, Default)]
struct Facts {
    agent: String,
}

impl Reset for Facts {
    fn reset(&mut self) {
        self.agent.clear();
    }
}

/// What handlers share.
#[derive(Clone)]
struct Shared {
    bodies: BodyPool,
    upstream: ObjectPool<upstream::Connection, upstream::Upstream>,
}

/// Where the extractors find their pool.
impl FromRef<Shared> for BodyPool {
    fn from_ref(shared: &Shared) -> Self {
        shared.bodies.clone()
    }
}

/// The pools' figures as the status page shows them.
#[derive(Serialize)]
struct Figures {
    allocated: usize,
    limit: usize,
    in_use: usize,
    idle: usize,
    waiting: usize,
    hits: u64,
    misses: u64,
    upstream_connections: usize,
}

async fn lines(facts: Context<Facts>, body: PooledBody) -> String {
    let lines = body.iter().filter(|&&byte| byte == b'\n').count();
    format!("{lines} lines from {}\n", facts.agent)
}

async fn sum(PooledJson(numbers): PooledJson<Vec<u64>>) -> PooledJson<u64> {
    PooledJson(numbers.into_iter().fold(0, u64::wrapping_add))
}

/// Has the upstream reverse the text, over a connection that is used again.
async fn reversed(
    State(shared): State<Shared>,
    Path(text): Path<String>,
) -> Result<String, (StatusCode, String)> {
    let failed = |error: &dyn std::error::Error| (StatusCode::BAD_GATEWAY, format!("{error}\n"));
    let patience = Duration::from_secs(1);
    let acquired = shared.upstream.acquire_timeout(patience).await;
    let mut connection = acquired.map_err(|error| failed(&error))?;
    match connection.ask(&text).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            // Nobody knows what it will say next.
            connection.discard();
            Err(failed(&error))
        }
    }
}

async fn figures(State(shared): State<Shared>) -> Response {
    let stats = shared.bodies.pool().stats();
    let upstream = shared.upstream.stats();
    let figures = Figures {
        allocated: stats.allocated,
        limit: stats.limit,
        in_use: stats.in_use,
        idle: stats.idle(),
        waiting: stats.waiting,
        hits: stats.hits(),
        misses: stats.misses(),
        upstream_connections: upstream.idle + upstream.in_use,
    };
    PooledJson(figures).response(shared.bodies.pool())
}

/// Sets a field of the context, where `Extension` would allocate.
async fn identify(request: axum::extract::Request, next: Next) -> Response {
    let agent = request
        .headers()
        .get("user-agent")
        .and_then(|value| value.to_str().ok());
    let set = context::update(|facts: &mut Facts| facts.agent.push_str(agent.unwrap_or("someone")));
    debug_assert!(set.is_ok(), "the context layer is outside of this one");
    next.run(request).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let pool = Pool::builder()
        .limit(64 << 20)
        .prewarm(64 << 10, 16)
        .leak_tracking(LeakTracking::On)
        .build()?;
    pool.init();
    // Responses take their memory from the same budget.
    if Pool::set_global(pool.clone()).is_err() {
        return Err("the process has a pool already".into());
    }
    tokio::spawn(Maintenance::new(pool.clone()).run());

    let upstream = ObjectPool::builder(upstream::Upstream::start().await?)
        .limit(8)
        .max_idle(Duration::from_secs(30))
        .build();
    tokio::spawn(upstream.clone().maintain(Duration::from_secs(10)));

    let shared = Shared {
        bodies: BodyPool::new(pool.clone()).limit(8 << 20),
        upstream: upstream.clone(),
    };
    let app = Router::new()
        .route("/lines", post(lines))
        .route("/sum", post(sum))
        .route("/reversed/{text}", get(reversed))
        .route("/pool", get(figures))
        .layer(middleware::from_fn(identify))
        .layer(ContextLayer::<Facts>::new())
        .with_state(shared);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // What connections read into is outside of the pool: it is bounded here.
    axum::serve(BoundedReadsListener::new(listener, 16 << 10), app)
        .with_graceful_shutdown(async {
            if let Err(error) = tokio::signal::ctrl_c().await {
                eprintln!("cannot wait for ctrl-c: {error}");
            }
        })
        .await?;
    upstream.close(Duration::from_secs(5)).await?;
    pool.close(Duration::from_secs(5)).await?;
    Ok(())
}
