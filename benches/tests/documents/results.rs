//! The committed results: whole, consistent, of the full run, and of a commit of this history.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::Command,
};

use benches::{
    parses,
    report::{number, results_dir},
    results::Results,
    stats,
    tables::workspace,
};
use serde_json::Value;

/// The reports, by name, as JSON and as Markdown.
fn reports() -> Vec<(String, Value, Results)> {
    let mut names: Vec<String> = files("json");
    names.sort();
    assert!(
        !names.is_empty(),
        "{} has no results",
        results_dir().display()
    );
    let read = |name: String| {
        let text = fs::read_to_string(results_dir().join(format!("{name}.json"))).unwrap();
        let json =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        let markdown = Results::read(&results_dir(), &name).unwrap();
        (name, json, markdown)
    };
    names.into_iter().map(read).collect()
}

/// The stems of the results' files of a kind.
fn files(extension: &str) -> Vec<String> {
    let entries = fs::read_dir(results_dir()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let wanted =
        paths.filter(|path: &PathBuf| path.extension().is_some_and(|own| own == extension));
    wanted
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn results_are_of_full_runs_on_clean_trees() {
    for (name, json, markdown) in reports() {
        let provenance = &json["provenance"];
        assert_eq!(json["suite"], name.as_str());
        assert_eq!(
            provenance["command"],
            markdown.command.as_str(),
            "{name}: .json and .md are of different runs"
        );
        assert_eq!(
            provenance["commit"],
            markdown.commit.as_str(),
            "{name}: .json and .md are of different commits"
        );
        assert!(
            markdown.commit.len() >= 12 && markdown.commit.bytes().all(|b| b.is_ascii_hexdigit()),
            "{name}: `{}` is no commit as it was checked out",
            markdown.commit
        );
        let (_, arguments) = markdown.command.split_once("-p benches -- ").unwrap();
        let arguments: Vec<&str> = arguments.split(' ').collect();
        parses(&arguments).unwrap_or_else(|fault| panic!("{name}: {}: {fault}", markdown.command));
        assert!(
            arguments.contains(&"--save"),
            "{name}: {}",
            markdown.command
        );
        assert!(
            !arguments.contains(&"--quick"),
            "{name} is a trial: {}",
            markdown.command
        );
    }
}

#[test]
fn results_have_all_their_files() {
    let stems = files("json");
    for stem in files("md") {
        assert!(stems.contains(&stem), "{stem}.md without {stem}.json");
    }
    let mut shown = 0;
    for (name, _, _) in reports() {
        let text = fs::read_to_string(results_dir().join(format!("{name}.md"))).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            assert!(
                results_dir().join(link).exists(),
                "{name}.md shows {link}, which is not there"
            );
            shown += 1;
        }
    }
    assert_eq!(files("svg").len(), shown, "a plot that no report shows");
}

/// The tables are the medians of the samples beside them.
#[test]
fn tables_are_the_medians_of_their_samples() {
    let mut compared = 0;
    for (name, json, markdown) in reports() {
        for row in json["rows"].as_array().unwrap() {
            let (Some(case), Some(subject), Some(metrics)) = (
                row["case"].as_str(),
                row["subject"].as_str(),
                row["samples"].as_object(),
            ) else {
                continue;
            };
            // Not every case has a table that is called as it is.
            let Ok(table) = markdown.table(case) else {
                continue;
            };
            for (metric, samples) in metrics {
                let Ok(cell) = table.cell(subject, metric) else {
                    continue;
                };
                let samples: Vec<f64> = serde_json::from_value(samples.clone()).unwrap();
                let median = number(stats::median(&samples));
                assert_eq!(cell, median, "{name}: {case}: {subject}: {metric}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 200, "only {compared} cells could be compared");
}

/// Whoever reads a result can check out what was measured.
#[test]
fn results_are_of_commits_of_this_history() {
    let git = |arguments: &[&str]| {
        let out = Command::new("git")
            .args(arguments)
            .current_dir(workspace())
            .output();
        out.unwrap_or_else(|error| {
            panic!("git is needed to look for the results' commits: {error}")
        })
    };
    let unknown = if !workspace().join(".git").exists() {
        Some("no .git here")
    } else {
        let shallow = git(&["rev-parse", "--is-shallow-repository"]);
        let said = String::from_utf8_lossy(&shallow.stderr).into_owned();
        assert!(shallow.status.success(), "{said}");
        (shallow.stdout.trim_ascii() == b"true")
            .then_some("a shallow clone (git fetch --unshallow)")
    };
    if let Some(why) = unknown {
        // There is no history to look in. Past the harness, which hides what passing tests say.
        writeln!(
            io::stderr(),
            "ATTENTION: {why}: not checked that the results' commits are of this history"
        )
        .unwrap();
        return;
    }
    for (name, _, markdown) in reports() {
        let found = git(&["merge-base", "--is-ancestor", &markdown.commit, "HEAD"]);
        assert!(
            found.status.success(),
            "{name} was measured at {}, which is no ancestor of HEAD: measure it again. {}",
            markdown.commit,
            String::from_utf8_lossy(&found.stderr)
        );
    }
}
