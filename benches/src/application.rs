//! What a baseline says of the example application: latencies by route, and what each crate brings along.

use std::{collections::BTreeMap, env, path::PathBuf, process::Command, time::Duration};

use hdrhistogram::Histogram;

use crate::{
    baseline::RouteLatency,
    load::{self, Ask, Pace, Plan, Span},
    process::{Cores, Server, free_address, on_core},
};

/// Routes as the server has them, and a path of each.
const ROUTES: [(&str, &str); 8] = [
    ("/api/v1/books", "/api/v1/books"),
    ("/api/v1/books/{id:u64}", "/api/v1/books/1"),
    ("/api/v1/books/{id:u64}/reviews", "/api/v1/books/1/reviews"),
    ("/api/v1/authors/{id:u64}", "/api/v1/authors/1"),
    ("/api/v1/authors/{id:u64}/books", "/api/v1/authors/1/books"),
    ("/api/v1/customers/{id:u64}", "/api/v1/customers/1"),
    ("/api/v1/genres", "/api/v1/genres"),
    ("/api/v1/search", "/api/v1/search?q=a"),
];

/// Far below what it can, so that the latencies are the routes' own and not a queue's.
const RATE: f64 = 2_000.0;
const SPAN: Duration = Duration::from_secs(20);

/// Latencies of the example server by route, under a constant rate.
pub(crate) fn latencies() -> Result<BTreeMap<String, RouteLatency>, String> {
    let server = start()?;
    let asks = ROUTES.iter().map(|(_, path)| Ask::get(*path)).collect();
    let outcome = on_core(Cores::split().client, || {
        load::run(&Plan {
            connections: 16,
            pace: Pace::Constant { per_second: RATE },
            warm_up: Duration::from_secs(2),
            span: Span::Time(SPAN),
            ..Plan::new(server.address, asks)
        })
    })??
    .checked()?;
    let by_route = |((route, _), seen): (&(&str, &str), &Histogram<u64>)| {
        let at = |quantile| (seen.value_at_quantile(quantile) as f64 / 100.0).round() / 10.0;
        let latency = RouteLatency {
            p50_us: at(0.5),
            p95_us: at(0.95),
            p99_us: at(0.99),
            samples: seen.len(),
        };
        ((*route).to_owned(), latency)
    };
    Ok(ROUTES.iter().zip(&outcome.by_ask).map(by_route).collect())
}

/// Builds the example server and starts it with one thread on the server's core.
fn start() -> Result<Server, String> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "-p", "server"])
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if !status.success() {
        return Err("the example server does not compile".into());
    }
    let address = free_address()?;
    let mut command = Command::new(beside("server")?);
    command
        .args([
            "--listen",
            &address.to_string(),
            "--threads",
            "1",
            "--log",
            "warn",
        ])
        .args(["--tls-listen", "off", "--admin-listen", "off"]);
    Server::program("the example server", command, address)
}

/// A program that cargo put beside this one.
fn beside(name: &str) -> Result<PathBuf, String> {
    let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
    Ok(exe.with_file_name(name))
}

/// How many crates come with each of ours, at its default features.
pub(crate) fn dependencies() -> Result<BTreeMap<String, usize>, String> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let entries =
        std::fs::read_dir(&workspace).map_err(|e| format!("{}: {e}", workspace.display()))?;
    let mut counts = BTreeMap::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("tower-") && entry.path().join("Cargo.toml").exists() {
            counts.insert(name.clone(), dependencies_of(&name)?);
        }
    }
    Ok(counts)
}

fn dependencies_of(package: &str) -> Result<usize, String> {
    let out = Command::new("cargo")
        .args([
            "tree", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}", "-p", package,
        ])
        .output()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.len() - 1)
}
