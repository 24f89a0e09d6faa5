//! A process with few descriptors: bursts, reclaim, and leaks. The server is this program again, as a child with a limit
//! of its own, so that other tests keep theirs.
#![cfg(all(feature = "admission", feature = "axum", target_os = "linux"))]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Read},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, extract::State, routing::get};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Client, Patience};
use tokio::sync::Notify;
use tower_flowctl::{
    admission::{Admission, AtLimit, CountRequests, Limits},
    descriptors::{DescriptorGuard, LeakReport},
};

const LIMIT: u64 = 256;

/// The child: serves until its standard input ends.
#[test]
#[ignore = "the server of the other tests"]
fn child() {
    let hard = getrlimit(Resource::Nofile).maximum;
    let few = Rlimit {
        current: Some(LIMIT),
        maximum: hard,
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.spawn(serve());
    // Until the parent closes it, on purpose or by its end.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    runtime.shutdown_background();
}

#[derive(Clone)]
struct App {
    admission: Admission,
    go: Arc<Notify>,
    leaked: Arc<Mutex<Vec<std::io::PipeReader>>>,
    reports: Arc<Mutex<Vec<LeakReport>>>,
}

async fn serve() {
    let at_limit = match std::env::var("AT_LIMIT").as_deref() {
        Ok("pause") => AtLimit::Pause,
        Ok("reset") => AtLimit::Reset,
        _ => AtLimit::Unavailable,
    };
    let reports: Arc<Mutex<Vec<LeakReport>>> = Arc::default();
    let on_leak = Arc::clone(&reports);
    let guard = DescriptorGuard::new()
        .leak_window(Duration::from_millis(500))
        .on_leak(move |report| on_leak.lock().unwrap().push(report.clone()));
    let limits = Limits::none().at_limit(at_limit);
    let admission = Admission::builder()
        .limits(limits)
        .descriptors(guard)
        .build()
        .unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1024).unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    let listener = admission.listener(listener);
    let state = App {
        admission,
        go: Arc::default(),
        leaked: Arc::default(),
        reports,
    };
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/wait", get(wait))
        .route("/go", get(go))
        .route("/state", get(state_page))
        .route("/leak", get(leak))
        .route("/reports", get(reports_page))
        .with_state(state);
    let _ = axum::serve(listener, CountRequests::new(app)).await;
}

/// Open connections, pauses, and how often accept(2) found no descriptor.
async fn state_page(State(app): State<App>) -> String {
    let snapshot = app.admission.snapshot();
    format!(
        "{} {} {}",
        snapshot.open, snapshot.pauses, snapshot.out_of_descriptors
    )
}

/// Answers when `/go` is asked.
async fn wait(State(app): State<App>) -> &'static str {
    app.go.notified().await;
    "waited"
}

async fn go(State(app): State<App>) {
    app.go.notify_one();
}

/// Loses a pipe's reading end; the other is closed.
async fn leak(State(app): State<App>) {
    let (reader, _) = std::io::pipe().unwrap();
    app.leaked.lock().unwrap().push(reader);
}

async fn reports_page(State(app): State<App>) -> String {
    let reports = app.reports.lock().unwrap();
    reports.iter().map(|report| format!("{report}\n")).collect()
}

struct Server {
    process: Child,
    /// Kept open, for the test program writes its summary there.
    _output: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Server {
    fn start(at_limit: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env("AT_LIMIT", at_limit)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = output
            .find_map(|line| line.unwrap().split_once("listening on ")?.1.parse().ok())
            .unwrap();
        Self {
            process,
            _output: output,
            address,
        }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id()))
            .unwrap()
            .count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

/// The child's state, on a new connection: an old one may be the longest idle by now.
async fn state(server: &Server) -> [u64; 3] {
    let text = loop {
        let mut client = server.connect().await;
        if client
            .try_send("GET /state HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            && let Some(response) = client.receive().await
            && response.status == 200
        {
            break response.text().to_owned();
        }
    };
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap());
    std::array::from_fn(|_| numbers.next().unwrap())
}

/// The parent needs descriptors for its clients.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < 4096) {
        let raised = Rlimit {
            current: Some(4096),
            ..limit
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
}

/// A client that was answered.
async fn ask(address: SocketAddr) -> Option<Client> {
    let mut client = Client::try_connect(address).await?;
    let sent = client.try_send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answered = sent && client.receive().await?.status == 200;
    answered.then_some(client)
}

/// So many clients at once, each with a request that it tries so often; how many were answered, and how many were not.
async fn burst(at_limit: &str, count: usize, tries: usize) -> [usize; 2] {
    raise_limit();
    let server = Server::start(at_limit);
    let before = server.descriptors();
    let mut waiting = server.connect().await;
    waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;

    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..count {
        let address = server.address;
        clients.spawn(async move {
            for _ in 0..tries {
                let client = ask(address).await;
                if client.is_some() {
                    return client;
                }
            }
            None
        });
    }
    let mut held = Vec::new();
    let (mut answered, mut refused) = (0, 0);
    while let Some(client) = clients.join_next().await {
        match client.unwrap() {
            Some(client) => {
                answered += 1;
                held.push(client);
            }
            None => refused += 1,
        }
    }
    assert_eq!(answered + refused, count);
    assert!(answered >= 200, "only {answered} were answered");
    let begun = Instant::now();
    let [open, pauses, out_of_descriptors] = state(&server).await;
    assert!(open < LIMIT, "{open}");
    assert_eq!(out_of_descriptors, 0, "the headroom was left");
    // Nobody arrives any more: the listener must not go round, which it would thousands of times meanwhile. A pause lasts a tenth of
    // a second; those who ask end some.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let [_, later, _] = state(&server).await;
    let most = begun.elapsed().as_millis() / 100 + 10;
    assert!(
        u128::from(later - pauses) < most,
        "{later} pauses after {pauses}"
    );

    drop(held);
    let patience = Patience::begin();
    loop {
        let state = state(&server).await;
        if state[0] <= 2 {
            break;
        }
        patience.check(&state);
        tokio::task::yield_now().await;
    }
    // The request from before the burst is still there, and answered.
    assert_eq!(server.connect().await.get("/go").await.status, 200);
    assert_eq!(waiting.receive().await.unwrap().text(), "waited");
    drop(waiting);
    while server.descriptors() != before {
        patience.check(&server.descriptors());
        tokio::task::yield_now().await;
    }
    [answered, refused]
}

#[tokio::test]
async fn a_burst_is_refused_by_503() {
    burst("unavailable", 2000, 1).await;
}

#[tokio::test]
async fn a_burst_is_refused_by_reset() {
    burst("reset", 2000, 1).await;
}

/// No more than the queue has room for, which is 1024: the kernel ignores whoever comes on top of that, and how long a client then
/// waits before it tries again, and how often, is its own affair. Nobody is refused; but who connects and is not run before a
/// second has passed, or less in a crowd, makes room for others, and comes again, as HTTP clients do.
#[tokio::test]
async fn a_burst_waits_in_the_queue() {
    assert_eq!(burst("pause", 900, 20).await, [900, 0]);
}

#[tokio::test]
async fn the_longest_idle_make_room_for_newcomers() {
    let server = Server::start("unavailable");
    let mut idle = Vec::new();
    while idle.len() < 200 {
        let mut client = server.connect().await;
        assert_eq!(client.get("/").await.status, 200);
        idle.push(client);
    }
    // Newcomers are served, and they stay, at the cost of the longest idle.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut newcomers = Vec::new();
    for _ in 0..100 {
        let mut client = server.connect().await;
        assert_eq!(client.get("/").await.status, 200);
        newcomers.push(client);
    }
    let closed: Vec<bool> = idle.iter().map(Client::has_ended).collect();
    let count = closed.iter().filter(|closed| **closed).count();
    assert!(count >= 60, "{count} of the idle were closed");
    assert!(
        closed[..20].iter().all(|closed| *closed),
        "the oldest first: {closed:?}"
    );
    assert!(
        closed[count + 32..].iter().all(|closed| !*closed),
        "the newest stay: {closed:?}"
    );
}

#[tokio::test]
async fn a_leak_is_reported_with_kind_and_count() {
    let server = Server::start("unavailable");
    let mut client = server.connect().await;
    let patience = Patience::begin();
    let report = loop {
        for _ in 0..2 {
            client.get("/leak").await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let reports = client.get("/reports").await.text().to_owned();
        if let Some(first) = reports.lines().next() {
            break first.to_owned();
        }
        patience.check(&reports);
    };
    assert!(report.contains("of kind pipe (+"), "{report}");
    assert!(report.contains("as pipe:["), "{report}");
}
