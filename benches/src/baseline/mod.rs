//! Baselines: what a version has measured, as `baselines/<version>.json`.
//!
//! A baseline has a section a suite, with the exact counts of its hot paths and the figures of its committed results; the
//! dependencies of every crate; and, for a server to hold itself against in production, the latencies of the example
//! application by route:
//!
//! ```json
//! {
//!   "version": "0.1.0",
//!   "suites": { "router": { "hot_paths": { "matchit find": { "instructions": 218.06, … } }, "figures": [ … ] } },
//!   "application": { "/api/v1/books/{id:u64}": { "p50_us": 61.0, "p95_us": 88.0, "p99_us": 140.0, "samples": 20000 } }
//! }
//! ```

mod compare;
mod write;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{cachegrind::Profile, machine::Provenance, report::Figure};

pub(crate) use self::{
    compare::{Options as CompareOptions, compare},
    write::{Options, count, run},
};

/// A version's measurements.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) version: String,
    pub(crate) provenance: Provenance,
    pub(crate) suites: BTreeMap<String, Section>,
    /// Of a route: the latencies of the example application.
    #[serde(default)]
    pub(crate) application: BTreeMap<String, RouteLatency>,
    /// Of a crate: how many crates a user of its default features gets with it.
    #[serde(default)]
    pub(crate) dependencies: BTreeMap<String, usize>,
}

/// A suite's part.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) hot_paths: BTreeMap<String, Held>,
    #[serde(default)]
    pub(crate) figures: Vec<Figure>,
}

/// The exact counts of a hot path.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) allocations: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<f64>,
    #[serde(flatten)]
    pub(crate) profile: Profile,
}

/// A route's latencies in microseconds, and of how many requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct RouteLatency {
    pub(crate) p50_us: f64,
    pub(crate) p95_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) samples: u64,
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Where baselines are kept.
pub(crate) fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baselines")
}

pub(crate) fn read(path: &Path) -> Result<Baseline, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The baseline of the highest version.
pub(crate) fn newest() -> Result<Baseline, String> {
    let version = |path: &PathBuf| -> Option<Vec<u64>> {
        let stem = path.file_stem()?.to_str()?;
        stem.split('.').map(|part| part.parse().ok()).collect()
    };
    let newest = entries(&dir())
        .into_iter()
        .filter_map(|path| Some((version(&path)?, path)))
        .max();
    let (_, path) = newest.ok_or_else(|| {
        format!(
            "{} has no baseline; `cargo run --release -p benches -- baseline` writes one",
            dir().display()
        )
    })?;
    read(&path)
}
