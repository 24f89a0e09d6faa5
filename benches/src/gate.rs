//! The regression gate: our crate's instruction and allocation counts against a committed baseline.
//!
//! Instructions may differ by 2 % from the baseline, heap bytes a route too;
//! allocations not at all. Counts belong to a compiler: when the baseline was
//! written by another one, that is said and the tolerance is 10 %, so that a
//! new toolchain neither fails for nothing nor hides a real loss.

use std::{fs, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    cachegrind::{self, Depth, Probe},
    machine::RUSTC,
    peers::{Mode, OURS},
    sets::{self, Set, Size},
    suites::router,
};

/// With the compiler of the baseline.
const TOLERANCE: f64 = 0.02;
/// With another compiler.
const OTHER_COMPILER: f64 = 0.10;

/// What is held: a set and what is done with its paths.
const HELD: &[(&str, Mode)] = &[
    ("matchit", Mode::Find),
    ("matchit", Mode::Params),
    ("github", Mode::Find),
    ("github", Mode::Params),
    ("github-random", Mode::Params),
    ("matchit-catchall", Mode::Find),
    ("matchit-404", Mode::Find),
    ("scale-1000", Mode::Params),
];

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write what is measured as the new baseline.
    #[arg(long)]
    update: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    rustc: String,
    held: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    name: String,
    instructions: f64,
    allocations: f64,
    bytes_per_route: f64,
}

/// Compares with the baseline, or writes it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let held = measure()?;
    if options.update {
        return write(held);
    }
    let baseline = read()?;
    let same_compiler = baseline.rustc == RUSTC;
    let tolerance = if same_compiler {
        TOLERANCE
    } else {
        OTHER_COMPILER
    };
    if !same_compiler {
        println!(
            "ATTENTION: the baseline is by {}, this is {RUSTC}. Counts of different compilers \
             compare only roughly: the tolerance is {:.0} % instead of {:.0} %. Check the figures \
             below, then write a new baseline by `cargo run --release -p benches -- gate --update`.",
            baseline.rustc,
            OTHER_COMPILER * 100.0,
            TOLERANCE * 100.0
        );
    }
    let faults = compare(&baseline.held, &held, tolerance);
    show(&baseline.held, &held);
    if faults.is_empty() {
        println!("gate: {} measures hold", held.len());
        Ok(())
    } else {
        Err(format!("the gate is shut:\n  {}", faults.join("\n  ")))
    }
}

fn measure() -> Result<Vec<Entry>, String> {
    let mut sets: Vec<Set> = Vec::new();
    for (name, _) in HELD {
        sets.push(sets::make(name, Size::Quick)?);
    }
    let probe = |(set, (_, mode)): (&Set, &(&str, Mode))| -> Probe {
        router::probe_of(OURS, set, *mode, Size::Quick)
    };
    let probes: Vec<Probe> = sets.iter().zip(HELD).map(probe).collect();
    let counts = cachegrind::run_all(&probes, Depth::Instructions)?;
    let mut held = Vec::new();
    for ((set, (name, mode)), counts) in sets.iter().zip(HELD).zip(counts) {
        let (allocations, bytes_per_route) = router::memory_of_ours(set, *mode)?;
        let round = |value: f64| (value * 100.0).round() / 100.0;
        held.push(Entry {
            name: format!("{name} {}", mode.name()),
            instructions: round(counts.instructions),
            // Not rounded: one allocation in all look-ups is one too many.
            allocations,
            bytes_per_route: round(bytes_per_route),
        });
    }
    Ok(held)
}

/// What grew beyond its tolerance, or is missing on either side.
fn compare(baseline: &[Entry], now: &[Entry], tolerance: f64) -> Vec<String> {
    let mut faults = Vec::new();
    for entry in now {
        let Some(old) = baseline.iter().find(|old| old.name == entry.name) else {
            faults.push(format!("`{}` is not in the baseline", entry.name));
            continue;
        };
        let grown = |what: &str, old: f64, new: f64, tolerance: f64| {
            (new > old * (1.0 + tolerance)).then(|| {
                let by = if old == 0.0 {
                    String::new()
                } else {
                    format!(" (+{:.1} %)", 100.0 * (new / old - 1.0))
                };
                format!(
                    "`{}`: {what} grew from {old:.2} to {new:.2}{by}",
                    entry.name
                )
            })
        };
        faults.extend(grown(
            "instructions a look-up",
            old.instructions,
            entry.instructions,
            tolerance,
        ));
        faults.extend(grown(
            "allocations a look-up",
            old.allocations,
            entry.allocations,
            0.0,
        ));
        faults.extend(grown(
            "heap bytes a route",
            old.bytes_per_route,
            entry.bytes_per_route,
            tolerance,
        ));
    }
    for old in baseline {
        if !now.iter().any(|entry| entry.name == old.name) {
            faults.push(format!(
                "`{}` is in the baseline and is no longer measured",
                old.name
            ));
        }
    }
    faults
}

fn show(baseline: &[Entry], now: &[Entry]) {
    for entry in now {
        if let Some(old) = baseline.iter().find(|old| old.name == entry.name) {
            println!(
                "{:24} {:8.1} instr ({:+.1} %), {} allocs, {:.0} bytes/route",
                entry.name,
                entry.instructions,
                100.0 * (entry.instructions / old.instructions - 1.0),
                entry.allocations,
                entry.bytes_per_route
            );
        }
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baselines/router.json")
}

fn read() -> Result<Baseline, String> {
    let path = path();
    let text = fs::read_to_string(&path)
        .map_err(|e| format!("{}: {e}; `gate --update` writes a baseline", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(held: Vec<Entry>) -> Result<(), String> {
    let path = path();
    let baseline = Baseline {
        rustc: RUSTC.to_owned(),
        held,
    };
    let json = serde_json::to_string_pretty(&baseline).map_err(|e| e.to_string())?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    fs::write(&path, json + "\n").map_err(|e| format!("{}: {e}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, instructions: f64, allocations: f64) -> Entry {
        Entry {
            name: name.into(),
            instructions,
            allocations,
            bytes_per_route: 100.0,
        }
    }

    #[test]
    fn names_what_grew_and_nothing_else() {
        let base = [entry("a", 100.0, 0.0)];
        let cases: [(&str, Entry, Option<&str>); 6] = [
            ("equal", entry("a", 100.0, 0.0), None),
            ("fewer", entry("a", 50.0, 0.0), None),
            ("within", entry("a", 101.9, 0.0), None),
            ("beyond", entry("a", 102.1, 0.0), Some("instructions")),
            (
                "one allocation",
                entry("a", 100.0, 0.001),
                Some("allocations"),
            ),
            (
                "renamed",
                entry("b", 100.0, 0.0),
                Some("not in the baseline"),
            ),
        ];
        for (case, now, want) in cases {
            let faults = compare(&base, &[now], TOLERANCE);
            match want {
                None => assert!(faults.is_empty(), "{case}: {faults:?}"),
                Some(text) => assert!(faults[0].contains(text), "{case}: {faults:?}"),
            }
        }
    }

    #[test]
    fn a_measure_that_vanished_is_a_fault() {
        let base = [entry("a", 100.0, 0.0), entry("b", 100.0, 0.0)];
        let faults = compare(&base, &[entry("a", 100.0, 0.0)], TOLERANCE);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("`b`"), "{faults:?}");
    }
}
