//! Files that a document names are there: those it links to, and those between backticks that look like paths.

use std::path::Path;

use benches::tables::workspace;

use crate::text::{Kind, documents};

#[test]
fn every_named_file_is_there() {
    let mut faults = Vec::new();
    let mut count = 0;
    for document in documents() {
        let beside = document.path.parent().unwrap();
        for section in document.sections() {
            let mut named: Vec<(usize, String)> = section.spans();
            named.retain(|(_, text)| is_path(text));
            for line in section
                .lines
                .iter()
                .filter(|line| matches!(line.kind, Kind::Prose | Kind::Measured))
            {
                named.extend(
                    links(&line.text)
                        .into_iter()
                        .map(|link| (line.number, link)),
                );
            }
            for (line, path) in named {
                count += 1;
                let crate_root = beside.parent().unwrap_or(beside);
                let places = [beside, crate_root, &workspace(), &beside.join("src")];
                if !places.iter().any(|dir| dir.join(&path).exists()) {
                    faults.push(format!("{}:{line}: {path}", document.name));
                }
            }
        }
    }
    assert!(count >= 60, "only {count} paths were found");
    assert!(faults.is_empty(), "not there:\n{}", faults.join("\n"));
}

/// Whether a span is a path of the workspace rather than a route, a type or a command.
fn is_path(text: &str) -> bool {
    const ROOTS: [&str; 10] = [
        ".ci", "benches", "deploy", "docs", "examples", "fuzz", "scripts", "src", "tests",
        ".github",
    ];
    let first = text.split('/').next().unwrap_or_default();
    text.contains('/')
        && !text.contains([' ', '<', '{', '*', '…'])
        && (ROOTS.contains(&first) || first.starts_with("tower-"))
        // A crate's features are written as `crate/feature`.
        && (Path::new(text).components().count() > 2 || !first.starts_with("tower-") || text.ends_with('/'))
}

/// The files that a line links to.
fn links(line: &str) -> Vec<String> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| {
            !target.contains("://") && !target.starts_with(['#', '/']) && !target.contains("::")
        })
        .map(|target| target.split('#').next().unwrap_or_default().to_owned())
        .collect()
}
