//! The writing of a baseline: hot paths counted, figures of committed results taken over.

use std::{collections::BTreeMap, fs, path::PathBuf};

use clap::Args;
use serde::Deserialize;

use super::{Baseline, Held, Section, dir, entries, read};
use crate::{
    application,
    cachegrind::{self, Profile},
    hot::{Cost, HotPath},
    machine::Provenance,
    report::{Figure, results_dir},
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
