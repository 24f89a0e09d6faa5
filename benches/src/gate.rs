//! The gate: the hot paths' instruction and allocation counts against the newest baseline.
//!
//! Instructions may differ by 2 % from the baseline, heap bytes kept too; allocations not at all. What grew is told
//! with the functions it grew in. Counts belong to a compiler: when the baseline was
//! written by another one, that is said and the tolerance is 10 %, so that a
//! new toolchain neither fails for nothing nor hides a real loss.

use clap::Args;

use crate::{
    baseline::{self, Baseline, Held},
    cachegrind::Profile,
    hot::Cost,
    machine::RUSTC,
};

/// With the compiler of the baseline.
const TOLERANCE: f64 = 0.02;
/// With another compiler.
const OTHER_COMPILER: f64 = 0.10;
/// Functions named for each fault.
const FUNCTIONS: usize = 5;

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these suites.
    #[arg(long = "suite", value_delimiter = ',')]
    suites: Vec<String>,
    /// Count and compare so many times: the gate must always say the same.
    #[arg(long, default_value_t = 1)]
    times: usize,
}

/// Compares with the newest baseline; fails with what grew.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let baseline = baseline::newest()?;
    let tolerance = tolerance(&baseline);
    for time in 1..=options.times {
        let costs = baseline::count(&options.suites)?;
        let verdict = Verdict::of(&baseline, &costs, &options.suites, tolerance);
        if time == 1 {
            show(&baseline, &costs);
        }
        if !verdict.faults.is_empty() {
            return Err(format!(
                "the gate is shut (run {time} of {}):\n  {}\nWhere a change is worth its cost, write a new baseline by \
                 `cargo run --release -p benches -- baseline`, and say in the commit what it buys.",
                options.times,
                verdict.faults.join("\n  ")
            ));
        }
        println!(
            "gate: {} hot paths hold against {}",
            costs.len(),
            baseline.version
        );
        if time == options.times && !verdict.gains.is_empty() {
            println!(
                "better than the baseline:\n  {}\nKeep it: `cargo run --release -p benches -- baseline` writes the new figures.",
                verdict.gains.join("\n  ")
            );
        }
    }
    Ok(())
}

fn tolerance(baseline: &Baseline) -> f64 {
    if baseline.provenance.rustc == RUSTC {
        return TOLERANCE;
    }
    println!(
        "ATTENTION: the baseline is by {}, this is {RUSTC}. Counts of different compilers \
         compare only roughly: the tolerance is {:.0} % instead of {:.0} %. Check the figures \
         below, then write a new baseline by `cargo run --release -p benches -- baseline`.",
        baseline.provenance.rustc,
        OTHER_COMPILER * 100.0,
        TOLERANCE * 100.0
    );
    OTHER_COMPILER
}

/// What the comparison found.
#[derive(Debug, Default)]
struct Verdict {
    /// What grew beyond its tolerance, or is missing on either side.
    faults: Vec<String>,
    /// What shrank beyond it.
    gains: Vec<String>,
}

impl Verdict {
    fn of(baseline: &Baseline, costs: &[Cost], suites: &[String], tolerance: f64) -> Self {
        let mut verdict = Self::default();
        if costs.is_empty() {
            verdict.faults.push("nothing was counted".to_owned());
        }
        for cost in costs {
            let path = format!("`{}: {}`", cost.suite, cost.name);
            match held(baseline, cost) {
                Some(old) => verdict.judge(&path, old, cost, tolerance),
                None => verdict.faults.push(format!(
                    "{path} is not in the baseline; `cargo run --release -p benches -- baseline --suite {}` adds it",
                    cost.suite
                )),
            }
        }
        for (suite, section) in &baseline.suites {
            if !suites.is_empty() && !suites.contains(suite) {
                continue;
            }
            for name in section.hot_paths.keys() {
                if !costs
                    .iter()
                    .any(|cost| cost.suite == suite && cost.name == *name)
                {
                    let fault = "is in the baseline and is no longer measured";
                    verdict.faults.push(format!("`{suite}: {name}` {fault}"));
                }
            }
        }
        verdict
    }

    fn judge(&mut self, path: &str, old: &Held, cost: &Cost, tolerance: f64) {
        let (was, now) = (old.profile.instructions, cost.profile.instructions);
        if !(now.is_finite() && now > 0.0) {
            let fault = "counted nothing: the path does no work, or its passes are too few";
            self.faults.push(format!("{path}: {fault}"));
            return;
        }
        if now > was * (1.0 + tolerance) {
            self.faults.push(format!(
                "{path}: {}\n{}",
                change("instructions", was, now),
                grown(&old.profile, &cost.profile)
            ));
        } else if now < was * (1.0 - TOLERANCE) {
            self.gains
                .push(format!("{path}: {}", change("instructions", was, now)));
        }
        let (was, now) = (old.allocations, cost.allocations);
        if now > was {
            self.faults
                .push(format!("{path}: {}", change("allocations", was, now)));
        } else if now < was {
            self.gains
                .push(format!("{path}: {}", change("allocations", was, now)));
        }
        if let (Some(was), Some(now)) = (old.kept, cost.kept) {
            if now > was * (1.0 + tolerance) {
                self.faults
                    .push(format!("{path}: {}", change("heap bytes kept", was, now)));
            } else if now < was * (1.0 - TOLERANCE) {
                self.gains
                    .push(format!("{path}: {}", change("heap bytes kept", was, now)));
            }
        }
    }
}

fn held<'a>(baseline: &'a Baseline, cost: &Cost) -> Option<&'a Held> {
    let section = baseline.suites.get(cost.suite)?;
    section.hot_paths.get(&cost.name)
}

fn change(what: &str, old: f64, new: f64) -> String {
    let by = if old == 0.0 {
        String::new()
    } else {
        format!(" ({:+.1} %)", 100.0 * (new / old - 1.0))
    };
    format!("{what} from {old:.2} to {new:.2}{by}")
}

/// The functions that grew most, one a line.
fn grown(old: &Profile, new: &Profile) -> String {
    let mut grown: Vec<(f64, &String, f64)> = new
        .functions
        .iter()
        .map(|(name, now)| {
            let was = old.functions.get(name).copied().unwrap_or(0.0);
            (now - was, name, was)
        })
        .filter(|(by, _, _)| *by > 0.0)
        .collect();
    grown.sort_by(|a, b| b.0.total_cmp(&a.0));
    let line = |(by, name, was): &(f64, &String, f64)| {
        format!("      {by:+.2} in {name} ({was:.2} before)")
    };
    let lines: Vec<String> = grown.iter().take(FUNCTIONS).map(line).collect();
    lines.join("\n")
}

fn show(baseline: &Baseline, costs: &[Cost]) {
    for cost in costs {
        let now = cost.profile.instructions;
        let than = held(baseline, cost).map_or_else(
            || "new".to_owned(),
            |old| format!("{:+.2} %", 100.0 * (now / old.profile.instructions - 1.0)),
        );
        let kept = cost
            .kept
            .map_or_else(String::new, |kept| format!(", {kept:.0} bytes kept"));
        println!(
            "{:10} {:48} {now:12.1} instructions ({than}), {:.3} allocations{kept}",
            cost.suite, cost.name, cost.allocations
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{baseline::Section, machine::Provenance};

    fn profile(instructions: f64, function: &str) -> Profile {
        Profile {
            instructions,
            functions: BTreeMap::from([(function.to_owned(), instructions)]),
        }
    }

    fn cost(name: &str, instructions: f64, allocations: f64) -> Cost {
        Cost {
            suite: "s",
            name: name.into(),
            profile: profile(instructions, "f"),
            allocations,
            kept: Some(100.0),
        }
    }

    fn baseline(names: &[&str]) -> Baseline {
        let held = Held {
            allocations: 1.0,
            kept: Some(100.0),
            profile: profile(100.0, "f"),
        };
        let hot_paths = names.iter().map(|name| ((*name).to_owned(), held.clone()));
        let section = Section {
            hot_paths: hot_paths.collect(),
            figures: Vec::new(),
        };
        Baseline {
            version: "0.0.0".into(),
            provenance: Provenance::here(),
            suites: BTreeMap::from([("s".to_owned(), section)]),
            application: BTreeMap::new(),
            dependencies: BTreeMap::new(),
        }
    }

    #[test]
    fn names_what_grew_and_nothing_else() {
        let base = baseline(&["a"]);
        let cases: [(&str, Cost, Option<&str>); 8] = [
            ("equal", cost("a", 100.0, 1.0), None),
            ("fewer", cost("a", 50.0, 0.0), None),
            ("within", cost("a", 101.9, 1.0), None),
            (
                "beyond",
                cost("a", 102.1, 1.0),
                Some("+2.10 in f (100.00 before)"),
            ),
            (
                "one allocation",
                cost("a", 100.0, 1.001),
                Some("allocations"),
            ),
            ("no work", cost("a", 0.0, 1.0), Some("counted nothing")),
            (
                "no number",
                cost("a", f64::NAN, 1.0),
                Some("counted nothing"),
            ),
            (
                "larger",
                Cost {
                    kept: Some(103.0),
                    ..cost("a", 100.0, 1.0)
                },
                Some("heap bytes"),
            ),
        ];
        for (case, now, want) in cases {
            let faults = Verdict::of(&base, &[now], &[], TOLERANCE).faults;
            match want {
                None => assert!(faults.is_empty(), "{case}: {faults:?}"),
                Some(text) => assert!(faults[0].contains(text), "{case}: {faults:?}"),
            }
        }
    }

    #[test]
    fn a_gain_is_told() {
        let verdict = Verdict::of(&baseline(&["a"]), &[cost("a", 90.0, 0.0)], &[], TOLERANCE);
        assert_eq!(verdict.gains.len(), 2, "{verdict:?}");
    }

    #[test]
    fn what_is_missing_on_either_side_is_a_fault() {
        let cases: [(&str, &[&str], &[&str], &str); 3] = [
            ("vanished", &["a", "b"], &["a"], "no longer measured"),
            ("unknown", &["a"], &["a", "b"], "not in the baseline"),
            ("nothing", &[], &[], "nothing was counted"),
        ];
        for (case, old, new, want) in cases {
            let costs: Vec<_> = new.iter().map(|name| cost(name, 100.0, 1.0)).collect();
            let faults = Verdict::of(&baseline(old), &costs, &[], TOLERANCE).faults;
            assert_eq!(faults.len(), 1, "{case}: {faults:?}");
            assert!(faults[0].contains(want), "{case}: {faults:?}");
        }
    }

    #[test]
    fn another_suite_is_not_missed_when_only_one_is_asked_for() {
        let verdict = Verdict::of(
            &baseline(&["a"]),
            &[cost("a", 100.0, 1.0)],
            &["s".to_owned()],
            TOLERANCE,
        );
        assert!(verdict.faults.is_empty());
        let mut other = cost("x", 100.0, 1.0);
        other.suite = "t";
        let verdict = Verdict::of(&baseline(&["a"]), &[other], &["t".to_owned()], TOLERANCE);
        assert_eq!(verdict.faults.len(), 1, "{verdict:?}");
    }
}
