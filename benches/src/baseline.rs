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

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    application,
    cachegrind::{self, Profile},
    hot::{Cost, HotPath},
    machine::Provenance,
    report::{Better, Figure, number, results_dir},
    suite::Suite,
    suites,
};

/// What to write.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these suites' sections; the rest stays as it is.
    #[arg(long = "suite", value_delimiter = ',')]
    suites: Vec<String>,
    /// Only the latencies of the example application; the rest stays as it is.
    #[arg(long, conflicts_with = "suites")]
    application: bool,
}

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// The older baseline: a version such as `0.1.0`, or a file.
    before: String,
    /// The newer one.
    after: String,
}

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

/// Counts all hot paths of the suites that `wanted` names (all when it names none).
pub(crate) fn count(wanted: &[String]) -> Result<Vec<Cost>, String> {
    for name in wanted {
        suites::named(name)?;
    }
    let mut paths: Vec<(&'static Suite, HotPath)> = Vec::new();
    for suite in suites::ALL {
        if wanted.is_empty() || wanted.iter().any(|name| name == suite.name) {
            paths.extend((suite.hot_paths)()?.into_iter().map(|path| (suite, path)));
        }
    }
    let probes: Vec<_> = paths
        .iter()
        .map(|(suite, path)| path.probe(suite.name))
        .collect();
    let profiles = cachegrind::profile_all(&probes)?;
    let cost = |((suite, path), profile): (&(&'static Suite, HotPath), Profile)| {
        let (allocations, kept) = path.memory();
        Cost {
            suite: suite.name,
            name: path.name.clone(),
            profile,
            allocations,
            kept,
        }
    };
    Ok(paths.iter().zip(profiles).map(cost).collect())
}

/// Writes the baseline of this version, or some sections of it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let version = env!("CARGO_PKG_VERSION");
    let path = dir().join(format!("{version}.json"));
    let mut baseline = if path.exists() {
        read(&path)?
    } else {
        Baseline {
            version: version.to_owned(),
            provenance: Provenance::here(),
            suites: BTreeMap::new(),
            application: BTreeMap::new(),
            dependencies: BTreeMap::new(),
        }
    };
    if !options.application {
        let costs = count(&options.suites)?;
        renew(&mut baseline, costs, options.suites.is_empty())?;
        baseline.dependencies = application::dependencies()?;
    }
    if options.suites.is_empty() {
        baseline.application = application::latencies()?;
    }
    baseline.provenance = Provenance::here();
    let json = serde_json::to_string_pretty(&baseline).map_err(|e| e.to_string())?;
    fs::create_dir_all(dir()).map_err(|e| format!("{}: {e}", dir().display()))?;
    fs::write(&path, json + "\n").map_err(|e| format!("{}: {e}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// Puts counts and the figures of committed results in place of the old ones; of all suites when `all` were counted.
fn renew(baseline: &mut Baseline, costs: Vec<Cost>, all: bool) -> Result<(), String> {
    let mut counted = BTreeMap::<String, BTreeMap<String, Held>>::new();
    for cost in costs {
        let paths = counted.entry(cost.suite.to_owned()).or_default();
        paths.insert(cost.name.clone(), held(cost));
    }
    if all {
        baseline.suites.clear();
    }
    for suite in suites::ALL {
        let section = baseline.suites.entry(suite.name.to_owned()).or_default();
        if let Some(hot_paths) = counted.remove(suite.name) {
            section.hot_paths = hot_paths;
        }
        section.figures = figures(suite.name)?;
    }
    let empty = |section: &Section| section.hot_paths.is_empty() && section.figures.is_empty();
    baseline.suites.retain(|_, section| !empty(section));
    Ok(())
}

fn held(cost: Cost) -> Held {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let functions = cost.profile.functions;
    Held {
        // Not rounded: one allocation in all units of work is one too many.
        allocations: cost.allocations,
        kept: cost.kept.map(round),
        profile: Profile {
            instructions: round(cost.profile.instructions),
            functions: functions.into_iter().map(|(n, v)| (n, round(v))).collect(),
        },
    }
}

/// The figures of a suite's committed results: `<suite>.json` and `<suite>-<part>.json`.
fn figures(suite: &str) -> Result<Vec<Figure>, String> {
    #[derive(Deserialize)]
    struct Document {
        suite: String,
        #[serde(default)]
        figures: Vec<Figure>,
    }
    let mut files: Vec<PathBuf> = entries(&results_dir());
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let mut figures = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let document: Document =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        let part = document.suite.strip_prefix(suite);
        if part.is_some_and(|part| part.is_empty() || part.starts_with('-')) {
            figures.extend(document.figures);
        }
    }
    Ok(figures)
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

/// Prints what changed between two baselines.
pub(crate) fn compare(options: &CompareOptions) -> Result<(), String> {
    let find = |name: &str| {
        let named = dir().join(format!("{name}.json"));
        read(if named.exists() {
            &named
        } else {
            Path::new(name)
        })
    };
    let (before, after) = (find(&options.before)?, find(&options.after)?);
    println!(
        "{} ({}, {}) -> {} ({}, {})",
        before.version,
        before.provenance.commit,
        before.provenance.rustc,
        after.version,
        after.provenance.commit,
        after.provenance.rustc
    );
    let lines = differences(&before, &after);
    if lines.is_empty() {
        println!("nothing changed");
    }
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

/// A line for each count that changed by a thousandth or more, and each figure whose intervals do not overlap.
fn differences(before: &Baseline, after: &Baseline) -> Vec<String> {
    let mut lines = Vec::new();
    let none = Section::default();
    let names: std::collections::BTreeSet<_> =
        before.suites.keys().chain(after.suites.keys()).collect();
    for name in names {
        let old = before.suites.get(name).unwrap_or(&none);
        let new = after.suites.get(name).unwrap_or(&none);
        hot_path_differences(name, old, new, &mut lines);
        figure_differences(name, old, new, &mut lines);
    }
    for (route, new) in &after.application {
        if let Some(old) = before.application.get(route) {
            lines.extend(changed(
                &format!("application, {route}: p95 us"),
                old.p95_us,
                new.p95_us,
                0.1,
            ));
        }
    }
    for (name, new) in &after.dependencies {
        if let Some(old) = before.dependencies.get(name) {
            lines.extend(changed(
                &format!("{name}: dependencies"),
                *old as f64,
                *new as f64,
                0.0,
            ));
        }
    }
    lines
}

fn hot_path_differences(suite: &str, old: &Section, new: &Section, lines: &mut Vec<String>) {
    for (name, now) in &new.hot_paths {
        let what = |unit: &str| format!("{suite}, {name}: {unit}");
        let Some(was) = old.hot_paths.get(name) else {
            lines.push(what("new"));
            continue;
        };
        let (a, b) = (was.profile.instructions, now.profile.instructions);
        lines.extend(changed(&what("instructions"), a, b, 0.001));
        lines.extend(changed(
            &what("allocations"),
            was.allocations,
            now.allocations,
            0.0,
        ));
        if let (Some(a), Some(b)) = (was.kept, now.kept) {
            lines.extend(changed(&what("bytes kept"), a, b, 0.001));
        }
    }
    for name in old
        .hot_paths
        .keys()
        .filter(|name| !new.hot_paths.contains_key(*name))
    {
        lines.push(format!("{suite}, {name}: no longer measured"));
    }
}

fn figure_differences(suite: &str, old: &Section, new: &Section, lines: &mut Vec<String>) {
    for was in &old.figures {
        if !new.figures.iter().any(|now| now.name == was.name) {
            lines.push(format!("{suite}, {}: no longer measured", was.name));
        }
    }
    for now in &new.figures {
        let Some(was) = old.figures.iter().find(|was| was.name == now.name) else {
            lines.push(format!("{suite}, {}: new", now.name));
            continue;
        };
        if was.value.overlaps(&now.value) {
            continue;
        }
        let better = (now.value.middle < was.value.middle) == (now.better == Better::Lower);
        let show = |figure: &Figure| {
            let v = figure.value;
            let range = format!("{} to {}", number(v.low), number(v.high));
            format!("{} {} ({range})", number(v.middle), figure.unit)
        };
        lines.push(format!(
            "{suite}, {}: {} -> {}: {}",
            now.name,
            show(was),
            show(now),
            if better { "better" } else { "WORSE" }
        ));
    }
}

/// A line when a count differs by more than a share of the old one; less is always better here.
fn changed(what: &str, old: f64, new: f64, by: f64) -> Option<String> {
    ((new - old).abs() > old.abs() * by).then(|| {
        let word = if new < old { "better" } else { "WORSE" };
        let percent = 100.0 * (new / old - 1.0);
        format!(
            "{what}: {} -> {} ({percent:+.1} %): {word}",
            number(old),
            number(new)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    fn baseline(instructions: f64, allocations: f64, middle: f64) -> Baseline {
        let section = Section {
            hot_paths: BTreeMap::from([(
                "find".to_owned(),
                Held {
                    allocations,
                    kept: None,
                    profile: Profile {
                        instructions,
                        functions: BTreeMap::new(),
                    },
                },
            )]),
            figures: vec![Figure {
                name: "ratio".into(),
                value: Interval {
                    middle,
                    low: middle - 0.1,
                    high: middle + 0.1,
                },
                unit: "x".into(),
                better: Better::Lower,
            }],
        };
        Baseline {
            version: "0.0.0".into(),
            provenance: Provenance::here(),
            suites: BTreeMap::from([("router".to_owned(), section)]),
            application: BTreeMap::new(),
            dependencies: BTreeMap::new(),
        }
    }

    #[test]
    fn only_what_changed_is_told_and_which_way() {
        let before = baseline(1000.0, 1.0, 0.5);
        let cases: [(&str, Baseline, &[&str]); 5] = [
            ("equal", baseline(1000.0, 1.0, 0.5), &[]),
            ("noise", baseline(1000.9, 1.0, 0.6), &[]),
            (
                "instructions",
                baseline(1050.0, 1.0, 0.5),
                &["+5.0 %): WORSE"],
            ),
            (
                "allocations",
                baseline(1000.0, 0.0, 0.5),
                &["-100.0 %): better"],
            ),
            (
                "figure",
                baseline(1000.0, 1.0, 0.8),
                &["0.50 x (0.40 to 0.60) -> 0.80 x (0.70 to 0.90): WORSE"],
            ),
        ];
        for (case, after, want) in cases {
            let lines = differences(&before, &after);
            assert_eq!(lines.len(), want.len(), "{case}: {lines:?}");
            for (line, want) in lines.iter().zip(want) {
                assert!(line.contains(want), "{case}: {line}");
            }
        }
    }

    #[test]
    fn a_baseline_survives_its_file() {
        let before = baseline(1000.0, 1.0, 0.5);
        let text = serde_json::to_string(&before).unwrap();
        let after: Baseline = serde_json::from_str(&text).unwrap();
        assert!(differences(&before, &after).is_empty());
    }

    #[test]
    fn the_committed_baseline_can_be_read() {
        assert!(!newest().unwrap().suites.is_empty());
    }
}
