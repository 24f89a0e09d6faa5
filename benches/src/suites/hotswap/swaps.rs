//! Swaps and reloads under load.
//!
//! 64 connections are kept busy: with us 48 by HTTP/1.1 and 16 by HTTP/2, asking in turn for a small answer, a streamed one
//! and an upload's; with nginx and caddy by HTTP/1.1, for a small answer. The whole application is
//! replaced again and again, the others are reloaded, as often as given in the table; rates of reloading far above
//! practice, so that the columns by reload are the fair ones. A request is *lost* when it was sent whole and had no whole
//! answer; a connection that was closed while nothing was asked is *reopened*, and no loss.

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::{net::TcpListener, runtime};
use tower_hotswap::{Handle, Version};

use self::client::{Counts, Load};
use crate::{
    process::{Server, announce, free_address},
    report::{Report, Table, number},
    suite::Options,
    tools,
};

mod client;

/// Swaps a second.
const RATE: u64 = 167;
/// Reloads of the others a second.
const RELOADS: u64 = 4;
const UPLOAD: usize = 64 << 10;
/// How long a reload of caddy may take; one that takes longer is given up and does not count.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes by which resident memory may differ between a tenth of the load and its end: an allocator's arenas. A generation of
/// these routers is some 50 KiB, so that a hundred of 10,000 left behind exceed it.
const GROWTH: u64 = 4 << 20;

/// Measures; a request of ours that was lost, or a generation that did not end, is a fault.
pub(super) fn run(options: &Options, report: &mut Report) -> Result<Vec<String>, String> {
    let span = Duration::from_secs(options.pick(3, 60));
    let mut table = Table::new(
        format!("64 busy connections for {} s", span.as_secs()),
        &[
            "server",
            "swaps or reloads",
            "answered",
            "lost",
            "lost by reload",
            "mixed",
            "reopened",
            "MiB at first",
            "MiB at last",
        ],
    );
    let mut faults = Vec::new();
    let wanted = RATE * span.as_secs();
    let server = Server::ours("ours", "hotswap", &["swapping"])?;
    let (counts, memory) =
        under_load(&server, Load::everything(server.address), span, &mut || {
            thread::sleep(Duration::from_millis(50));
            Ok(0)
        })?;
    let [swaps, undrained, alive] = ask_state(server.address)?;
    table.row(row("ours", &counts, swaps, memory));
    keep(report, "ours", &counts, swaps, memory)?;
    report.note(format!(
        "Ours after the load: {swaps} swaps, {undrained} old generations with requests in flight, {alive} routers in memory (the history has 16)."
    ));
    if counts.lost + counts.mixed + counts.reopened != 0 {
        faults.push(format!("ours: {counts:?}"));
    }
    // How many a machine in use can make is not what a trial is for.
    if !options.quick && swaps < wanted {
        faults.push(format!(
            "ours: {swaps} swaps of the {wanted} that were to be made"
        ));
    }
    let (early, late) = memory;
    if !options.quick && late > early + GROWTH {
        faults.push(format!(
            "ours: resident memory grew from {early} to {late} bytes"
        ));
    }
    if undrained != 0 || alive > 17 {
        faults.push(format!(
            "ours: {undrained} generations undrained, {alive} routers alive"
        ));
    }
    drop(server);
    for (name, start) in [("nginx", nginx as Start), ("caddy", caddy)] {
        if !options.wants_peer(name) {
            continue;
        }
        let Some(program) = tools::find(name) else {
            continue;
        };
        let folder = std::env::temp_dir().join(format!("hotswap-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let measured = start(&program, &folder).and_then(|(server, mut reload)| {
            let load = Load::small(server.address);
            under_load(&server, load, span, &mut reload)
        });
        let _ = fs::remove_dir_all(&folder);
        let (counts, memory) = measured?;
        table.row(row(name, &counts, counts.reloads, memory));
        keep(report, name, &counts, counts.reloads, memory)?;
    }
    report.table(table);
    Ok(faults)
}

fn row(name: &str, counts: &Counts, reloads: u64, (before, after): (u64, u64)) -> Vec<String> {
    let mebibytes = |bytes: u64| number(bytes as f64 / (1 << 20) as f64);
    vec![
        name.to_owned(),
        reloads.to_string(),
        counts.answered.to_string(),
        counts.lost.to_string(),
        number(counts.lost as f64 / reloads.max(1) as f64),
        counts.mixed.to_string(),
        counts.reopened.to_string(),
        mebibytes(before),
        mebibytes(after),
    ]
}

/// The counts of one server, for whoever reads them by program.
fn keep(
    report: &mut Report,
    name: &str,
    counts: &Counts,
    reloads: u64,
    (before, after): (u64, u64),
) -> Result<(), String> {
    report.rows(&[json!({
        "case": "swaps", "server": name, "swaps or reloads": reloads, "answered": counts.answered,
        "lost": counts.lost, "mixed": counts.mixed, "reopened": counts.reopened,
        "resident bytes": [before, after],
    })])?;
    Ok(())
}

/// Reloads once and says how often that was.
type Reload = Box<dyn FnMut() -> Result<u64, String>>;
type Start = fn(&Path, &Path) -> Result<(Server, Reload), String>;

/// The load for `span`, with reloads beside it, and resident memory after a tenth of it and at its end.
fn under_load(
    server: &Server,
    load: Load,
    span: Duration,
    reload: &mut dyn FnMut() -> Result<u64, String>,
) -> Result<(Counts, (u64, u64)), String> {
    let done = Arc::new(AtomicBool::new(false));
    let running = {
        let done = done.clone();
        thread::spawn(move || load.run(&done))
    };
    let (begin, mut reloads, mut early) = (Instant::now(), 0, 0);
    let mut failed = None;
    while begin.elapsed() < span && failed.is_none() && !running.is_finished() {
        if early == 0 && begin.elapsed() > span / 10 {
            early = server.usage().resident;
        }
        match reload() {
            Ok(count) => reloads += count,
            Err(error) => failed = Some(error),
        }
    }
    let late = server.usage().resident;
    done.store(true, Ordering::SeqCst);
    let counts = running.join().map_err(|_| "the load panicked")??;
    match failed {
        Some(error) => Err(error),
        None => Ok((Counts { reloads, ..counts }, (early, late))),
    }
}

fn nginx(program: &Path, folder: &Path) -> Result<(Server, Reload), String> {
    let address = free_address()?;
    let file = folder.join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; \
         server {{ listen {address}; location / {{ return 200 \"0\"; }} }} }}\n",
        folder.display()
    );
    fs::write(&file, text).map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.arg("-c").arg(&file).arg("-p").arg(folder);
    let server = Server::program("nginx", command, address)?;
    let pid = server.pid();
    let reload = move || {
        thread::sleep(Duration::from_millis(1000 / RELOADS));
        let process = rustix::process::Pid::from_raw(pid as i32).ok_or("nginx has no pid")?;
        rustix::process::kill_process(process, rustix::process::Signal::HUP)
            .map_err(|e| format!("nginx cannot be told to reload: {e}"))?;
        Ok(1)
    };
    Ok((server, Box::new(reload)))
}

fn caddy(program: &Path, folder: &Path) -> Result<(Server, Reload), String> {
    let (address, admin) = (free_address()?, free_address()?);
    let file = folder.join("Caddyfile");
    let (program, home) = (program.to_owned(), folder.to_owned());
    let write = {
        let file = file.clone();
        // Another text each time: an equal one is not loaded.
        move |number: u64| {
            let text = format!(
                "{{\n admin {admin}\n auto_https off\n}}\nhttp://{address} {{\n header x-number {number}\n respond \"0\"\n}}\n"
            );
            fs::write(&file, text).map_err(|e| e.to_string())
        }
    };
    write(0)?;
    let mut command = Command::new(&program);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .env("HOME", &home);
    let server = Server::program("caddy", command, address)?;
    let mut number = 0;
    let reload = move || {
        thread::sleep(Duration::from_millis(1000 / RELOADS));
        number += 1;
        write(number)?;
        let mut reloading = Command::new(&program)
            .args([
                "reload",
                "--adapter",
                "caddyfile",
                "--address",
                &admin.to_string(),
                "--config",
            ])
            .arg(&file)
            .env("HOME", &home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = reloading.try_wait().map_err(|e| e.to_string())? {
                return Ok(u64::from(status.success()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Under load it may wait for ever for the old configuration's connections.
        let _ = reloading.kill();
        let _ = reloading.wait();
        Ok(0)
    };
    Ok((server, Box::new(reload)))
}

/// What our server says of itself: swaps, generations that have requests in flight, routers in memory.
fn ask_state(address: SocketAddr) -> Result<[u64; 3], String> {
    use std::io::{Read, Write};
    let mut state = [0; 3];
    // The last bodies may have ended only now.
    for _ in 0..100 {
        let mut stream = std::net::TcpStream::connect(address).map_err(|e| e.to_string())?;
        let request = "GET /state HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
        stream
            .write_all(request.as_bytes())
            .map_err(|e| e.to_string())?;
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .map_err(|e| e.to_string())?;
        let words = answer.lines().last().unwrap_or_default().split(' ');
        for (field, word) in state.iter_mut().zip(words) {
            *field = word.parse().map_err(|_| format!("not a state: {answer}"))?;
        }
        if state[1] == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(state)
}

/// Counts the routers that exist.
struct Generation {
    number: u64,
    alive: Arc<AtomicU64>,
    handle: std::sync::OnceLock<Handle<Router>>,
}

impl Generation {
    fn new(number: u64, alive: &Arc<AtomicU64>) -> Arc<Self> {
        alive.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            number,
            alive: alive.clone(),
            handle: std::sync::OnceLock::new(),
        })
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

type Shared = State<Arc<Generation>>;

fn routes(generation: Arc<Generation>) -> Router {
    Router::new()
        .route(
            "/",
            get(|State(own): Shared| async move { own.number.to_string() }),
        )
        .route("/streamed", get(streamed))
        .route("/upload", post(uploaded))
        .route("/state", get(state))
        .with_state(generation)
}

async fn streamed(State(own): Shared) -> Body {
    Body::from_stream(stream::iter(0..5).then(move |_| {
        let text = format!("{} ", own.number);
        async {
            tokio::time::sleep(Duration::from_millis(4)).await;
            Ok::<_, Infallible>(Bytes::from(text))
        }
    }))
}

async fn uploaded(State(own): Shared, body: Body) -> String {
    let body = to_bytes(body, 2 * UPLOAD).await.unwrap_or_default();
    format!("{} {}", own.number, body.len())
}

/// The answer's own generation is in flight, and may be the current one only for as long as it takes to say so.
async fn state(State(own): Shared) -> String {
    let handle = own.handle.get();
    let retired = handle.map_or(0, |handle| {
        let all = handle.generations();
        let old = all
            .iter()
            .filter(|each| each.role == tower_hotswap::Role::Retired);
        old.count()
    });
    format!(
        "{} {retired} {}",
        own.number,
        own.alive.load(Ordering::Relaxed)
    )
}

/// Our server: an axum application that is replaced until the load begins to end.
pub(super) fn serve(_: &[String]) -> Result<(), String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(async {
        let alive = Arc::new(AtomicU64::new(0));
        let version =
            |number: u64| Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes());
        let first = Generation::new(0, &alive);
        let handle = Handle::builder(routes(first.clone()), version(0)).build();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|e| e.to_string())?;
        announce(listener.local_addr().map_err(|e| e.to_string())?);
        let app = handle.service().into_make_service();
        tokio::spawn(async { axum::serve(listener, app).await });
        drop(first);
        let mut ticks = tokio::time::interval(Duration::from_nanos(1_000_000_000 / RATE));
        for number in 1.. {
            ticks.tick().await;
            let next = Generation::new(number, &alive);
            let _ = next.handle.set(handle.clone());
            handle
                .swap(routes(next), version(number))
                .map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}
