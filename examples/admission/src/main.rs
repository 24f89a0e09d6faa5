//! A server that stays up when connections burst.
//!
//! `cargo run -p admission` serves `/` on port 3000, and on the management port 3001 `/healthz`, `/status`, and `POST /limits`,
//! which replaces a limit while the server runs. Try it with few descriptors:
//!
//! ```sh
//! (ulimit -n 256; cargo run -p admission) &
//! h2load --h1 -n 100000 -c 2000 http://127.0.0.1:3000/
//! curl http://127.0.0.1:3001/status
//! curl -X POST 'http://127.0.0.1:3001/limits?total=100'
//! ```

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use clap::Parser;
use serde::Serialize;
use tower_flowctl::{
    admission::{Admission, Class, CountRequests, Limits, Network, ProxyProtocol, Snapshot},
    breaker::{Breaker, BreakerSnapshot, Shed, Trigger},
    descriptors::DescriptorGuard,
    limit::{AdaptiveLimitLayer, Gradient, Limiter, LimiterSnapshot, Queue},
    management::Management,
};

#[derive(Debug, Parser)]
#[command(about)]
struct Cli {
    /// Where everybody is served.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where the operator is served.
    #[arg(long, default_value = "127.0.0.1:3001")]
    management: SocketAddr,
    /// Connections in total.
    #[arg(long)]
    total: Option<u32>,
    /// Connections of one client.
    #[arg(long, default_value_t = 256)]
    per_address: u32,
    /// A network of proxies that send the PROXY protocol's header; may be repeated.
    #[arg(long)]
    proxies: Vec<Network>,
    /// Seconds that requests have to finish when the server stops.
    #[arg(long, default_value_t = 10)]
    drain: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    let limits = Limits::new().total(cli.total).per_address(cli.per_address);
    let admission = Admission::builder()
        .limits(limits)
        .class(Class::new("management").limit(64).reserve(16).exempt())
        .descriptors(DescriptorGuard::new().on_leak(|leak| eprintln!("leak: {leak}")))
        .build()?;
    let socket = std::net::TcpListener::bind(cli.management)?;
    let limiter = Limiter::new(Gradient::default(), Queue::default());
    let queue = limiter.clone();
    let breaker = Breaker::builder()
        .trigger(Trigger::memory())
        .trigger(Trigger::queue(move || queue.queue_length()))
        .build();
    let operator = operator(Server {
        admission: admission.clone(),
        limiter: limiter.clone(),
        breaker: breaker.clone(),
    });
    let management = Management::spawn(&admission, "management", socket, |listener| async {
        let _ = axum::serve(listener, CountRequests::new(operator)).await;
    })?;

    let app = Router::new()
        .route("/", get(|| async { "hello\n" }))
        .route_layer(breaker.layer_by_matched_path().shed(Shed::FromUrgency(3)))
        .layer(AdaptiveLimitLayer::new(limiter));
    let socket = tokio::net::TcpListener::bind(cli.listen).await?;
    let mut listener = admission.listener(socket);
    println!(
        "listening on {}, management on {}",
        listener.local_addr()?,
        management.local_addr()
    );
    if !cli.proxies.is_empty() {
        listener = listener.proxy_protocol(ProxyProtocol::from_trusted(cli.proxies));
    }
    tokio::select! {
        never = axum::serve(listener, CountRequests::new(app)).into_future() => never?,
        interrupt = tokio::signal::ctrl_c() => interrupt?,
    }
    // The management's connections would be asked to end, too, and its listener is done: stop it first.
    management.stop();
    let report = admission.drain(Duration::from_secs(cli.drain)).await;
    println!(
        "drained: {} of {} ended in order",
        report.finished, report.open
    );
    for cut in report.cut {
        println!("cut: {cut:?}");
    }
    Ok(())
}

/// What there is to be seen.
#[derive(Clone)]
struct Server {
    admission: Admission,
    limiter: Limiter,
    breaker: Breaker,
}

#[derive(Serialize)]
struct Status {
    admission: Snapshot,
    limiter: LimiterSnapshot,
    breaker: BreakerSnapshot,
}

/// What the operator sees and may do.
fn operator(server: Server) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "up\n" }))
        .route("/status", get(status))
        .route("/limits", post(set_limits))
        .with_state(server)
}

async fn status(State(server): State<Server>) -> Json<Status> {
    Json(Status {
        admission: server.admission.snapshot(),
        limiter: server.limiter.snapshot(),
        breaker: server.breaker.snapshot(),
    })
}

/// `POST /limits?total=100&per_address=10`; what is left out stays.
async fn set_limits(
    State(Server { admission, .. }): State<Server>,
    Query(values): Query<Vec<(String, u32)>>,
) -> Result<String, (StatusCode, String)> {
    let refused = |message: String| (StatusCode::BAD_REQUEST, message + "\n");
    let mut limits = (*admission.limits()).clone();
    for (name, value) in values {
        limits = match name.as_str() {
            "total" => limits.total(value),
            "per_address" => limits.per_address(value),
            "per_prefix" => limits.per_prefix(value),
            _ => {
                let known = "total, per_address, and per_prefix can be set";
                return Err(refused(format!("there is no limit `{name}` here; {known}")));
            }
        };
    }
    let report = format!("{limits:#?}\n");
    admission
        .set_limits(limits)
        .map_err(|error| refused(error.to_string()))?;
    Ok(report)
}
