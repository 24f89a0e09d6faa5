//! The servers: one application under `axum::serve`, plain or admitted.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    error_handling::HandleErrorLayer,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer};
use tower_flowctl::{
    admission::{Admission, Class, CountRequests, Limits},
    limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue},
    management::Management,
};

use crate::process::announce;

/// `KIND [few-descriptors | attacked | idle | managed ADDRESS]`, or `clients ...` for those that idle.
pub(super) fn serve(arguments: &[String]) -> Result<(), String> {
    let [kind, rest @ ..] = arguments else {
        return Err("a kind of server is needed".into());
    };
    if kind == "clients" {
        return super::idle::clients(rest);
    }
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let few = rest.first() == Some(&"few-descriptors");
    set_descriptors(if few { 256 } else { u64::MAX })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(run(kind, &rest))
}

/// The soft limit, as far as the hard one allows.
pub(super) fn set_descriptors(wanted: u64) -> Result<u64, String> {
    let limit = getrlimit(Resource::Nofile);
    let current = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    let raised = Rlimit {
        current: Some(current),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).map_err(|e| format!("{current} descriptors: {e}"))?;
    Ok(current)
}

async fn run(kind: &str, settings: &[&str]) -> Result<(), String> {
    // To make it takes as long as a hundred requests: the first slow reader shall not.
    LazyLock::force(&LARGE);
    let limits = match settings.first() {
        // Attackers of this suite come from ten addresses, with a hundred connections each.
        Some(&"attacked") => Limits::new()
            .header(Duration::from_secs(2))
            .handshake(Duration::from_secs(2))
            .idle(Duration::from_secs(5))
            .rate(240, Duration::from_secs(1)),
        Some(&"few-descriptors") => Limits::new().per_address(None).per_prefix(None),
        _ => Limits::none(),
    };
    let admission = Admission::builder()
        .limits(limits)
        .class(Class::new("management").reserve(8))
        .build()
        .map_err(|e| e.to_string())?;
    let management = match settings {
        ["managed", address] => Some(manage(&admission, address)?),
        _ => None,
    };
    let app = limited(kind, app(admission.clone()));
    let socket = listen().map_err(|e| e.to_string())?;
    announce(socket.local_addr().map_err(|e| e.to_string())?);
    let result = if kind == "ours" {
        axum::serve(admission.listener(socket), CountRequests::new(app)).await
    } else {
        axum::serve(socket, app).await
    };
    drop(management);
    result.map_err(|e| e.to_string())
}

/// The queue of connections that wait to be accepted is as long as everybody's here: a burst shall meet the server, not the kernel.
pub(super) fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)
}

const BACKLOG: u32 = 4096;

fn manage(admission: &Admission, address: &str) -> Result<Management, String> {
    let socket = std::net::TcpListener::bind(address).map_err(|e| format!("{address}: {e}"))?;
    let app = Router::new().route("/healthz", get(|| async { "up" }));
    Management::spawn(admission, "management", socket, |listener| async {
        let _ = axum::serve(listener, app).await;
    })
    .map_err(|e| e.to_string())
}

/// The limits that the overload case compares, on the route of the backend.
fn limited(kind: &str, app: Router) -> Router {
    match kind {
        "adaptive" => {
            let limiter = Limiter::new(Gradient::default(), Queue::within(TARGET));
            app.layer(AdaptiveLimitLayer::new(limiter))
        }
        "tower" => app.layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(|_| async {
                    Ok::<_, Infallible>(StatusCode::SERVICE_UNAVAILABLE)
                }))
                .layer(LoadShedLayer::new())
                // What the backend takes at once, which one has to know.
                .layer(GlobalConcurrencyLimitLayer::new(PLACES)),
        ),
        _ => app,
    }
}

/// The backend has so many places of `SERVICE` each, so it takes somewhat less than 1000 requests a second.
pub(super) const PLACES: usize = 10;
const SERVICE: Duration = Duration::from_millis(10);

/// What a client of the backend waits for.
pub(super) const TARGET: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct App {
    admission: Admission,
    places: Arc<Semaphore>,
}

fn app(admission: Admission) -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/healthz", get(|| async { "up" }))
        .route("/burn", get(burn))
        .route("/backend", get(backend))
        .route(
            "/body",
            post(|body: String| async move { body.len().to_string() }),
        )
        .route("/large", get(large))
        .route("/reclaim/{count}", get(reclaim))
        .with_state(App {
            admission,
            places: Arc::new(Semaphore::new(PLACES)),
        })
}

/// 16 MiB that are there already: a thousand slow readers shall hold sockets, not copies.
static LARGE: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 16 << 20].into());

async fn large() -> Body {
    Body::from(LARGE.clone())
}

/// Two milliseconds of computing.
async fn burn() -> String {
    let begun = Instant::now();
    let mut rounds = 0_u64;
    while begun.elapsed() < Duration::from_millis(2) {
        rounds = std::hint::black_box(rounds + 1);
    }
    rounds.to_string()
}

async fn backend(State(app): State<App>) -> &'static str {
    let _place = app.places.acquire().await;
    tokio::time::sleep(SERVICE).await;
    "done"
}

async fn reclaim(State(app): State<App>, Path(count): Path<usize>) -> String {
    app.admission
        .reclaim(count, Duration::ZERO)
        .await
        .to_string()
}

/// The configuration of nginx, with as many connections as descriptors let it.
pub(super) fn nginx(dir: &std::path::Path, address: SocketAddr) -> Result<String, String> {
    let text = format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log /dev/null crit; worker_rlimit_nofile 256;\n\
         events {{ worker_connections 240; }}\n\
         http {{ access_log off; keepalive_timeout 75s;\n\
         server {{ listen {address} backlog={BACKLOG}; location / {{ default_type text/plain; return 200 hello; }} }} }}\n",
        dir = dir.display()
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(file.display().to_string())
}
