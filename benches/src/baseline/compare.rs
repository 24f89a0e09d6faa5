//! What changed from one baseline to another.

use std::{collections::BTreeSet, path::Path};

use clap::Args;

use super::{Baseline, Section, dir, read};
use crate::report::{Better, Figure, number};

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The older baseline: a version such as `0.1.0`, or a file.
    before: String,
    /// The newer one.
    after: String,
}

/// Prints what changed between two baselines.
pub(crate) fn compare(options: &Options) -> Result<(), String> {
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
    let names: BTreeSet<_> = before.suites.keys().chain(after.suites.keys()).collect();
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::{baseline::Held, cachegrind::Profile, machine::Provenance, stats::Interval};

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
        assert!(!crate::baseline::newest().unwrap().suites.is_empty());
    }
}
