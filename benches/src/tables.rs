//! Measured text in the documents: written from the committed results, never by hand.
//!
//! A document has the text as a template in a comment, with the figures as references, and behind it what the template
//! comes to. `cargo run -p benches -- tables` writes the second from the first; a test (`tests/documents`)
//! fails where the two do not agree.
//!
//! ```markdown
//! <!-- measured
//! An urgent fetch takes {browser|Ten fetches|flowctl|urgent ms} ms instead of {browser|Ten fetches|axum|urgent ms}.
//! -->
//! An urgent fetch takes 122.4 ms instead of 746.0.
//! <!-- /measured -->
//! ```
//!
//! | reference | what |
//! |---|---|
//! | `{report\|table\|row\|column}` | a cell |
//! | `{report\|command}`, `commit`, `compiler`, `machine` | where the report comes from |
//! | `{table\|report\|table\|column, column}` | on a line of its own: a table with its first column and these; all without |
//! | `{compare\|report\|column\|table; table}` | on a line of its own: a column of several tables side by side |
//! | `{compare\|report\|column\|table; table\|row; row}` | the same with these rows only |
//!
//! A report is a file of `results/`, or `baseline`: the counts that the gate holds, with a table a suite.
//! How tables, rows and columns are named: [`Results::table`](crate::results::Results::table),
//! [`Grid::row`](crate::results::Grid::row), [`Grid::column`](crate::results::Grid::column).

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    report::results_dir,
    results::{Grid, Library, Results},
};

const OPEN: &str = "<!-- measured";
const CLOSE: &str = "<!-- /measured -->";

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write nothing; fail where a document is not what it would be.
    #[arg(long)]
    check: bool,
}

/// Writes the measured text of all documents.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let root = workspace();
    let mut library = Library::default();
    let mut faults = Vec::new();
    for path in documents(&root)? {
        let name = path.strip_prefix(&root).unwrap_or(&path).display();
        let before = fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))?;
        let (after, more) = render(&before, &results_dir(), &mut library);
        faults.extend(more.into_iter().map(|fault| format!("{name}:{fault}")));
        if after == before {
            continue;
        }
        if options.check {
            faults.push(format!("{name}: is not what its results say"));
        } else {
            fs::write(&path, after).map_err(|e| format!("{name}: {e}"))?;
            println!("written: {name}");
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "measured text that cannot be kept:\n  {}",
            faults.join("\n  ")
        ))
    }
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// All Markdown files of the workspace that people write: not the results, nor what is hidden or built.
///
/// # Errors
/// If a folder cannot be read.
pub fn documents(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let path = entry
                .map_err(|e| format!("{}: {e}", folder.display()))?
                .path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let hidden = name.starts_with('.') || name == "target" || name == "node_modules";
            if path.is_dir() && !hidden && path != results_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A document with its measured text renewed, and what is wrong with it, each with its line. A block whose template has
/// a fault stays as it is.
pub fn render(document: &str, results: &Path, library: &mut Library) -> (String, Vec<String>) {
    let lines: Vec<&str> = document.lines().collect();
    let mut out: Vec<String> = Vec::new();
    let mut faults = Vec::new();
    let mut fenced = false;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        fenced ^= line.trim_start().starts_with("```");
        out.push(line.to_owned());
        at += 1;
        if fenced || line != OPEN {
            continue;
        }
        let rest = &lines[at..];
        let bounds = rest
            .iter()
            .position(|line| *line == "-->")
            .zip(rest.iter().position(|line| *line == CLOSE));
        let Some((middle, end)) = bounds.filter(|(middle, end)| middle < end) else {
            faults.push(format!(
                "{at}: `{OPEN}` without `-->` and `{CLOSE}` behind it"
            ));
            continue;
        };
        out.extend(rest[..=middle].iter().map(|&line| line.to_owned()));
        match fill(&rest[..middle], results, library) {
            Ok(text) => out.extend(text),
            Err(fault) => {
                faults.push(format!("{at}: {fault}"));
                out.extend(rest[middle + 1..end].iter().map(|&line| line.to_owned()));
            }
        }
        out.push(CLOSE.to_owned());
        at += end + 1;
    }
    let mut text = out.join("\n");
    if document.ends_with('\n') {
        text.push('\n');
    }
    (text, faults)
}

/// What a template comes to.
fn fill(template: &[&str], results: &Path, library: &mut Library) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for &line in template {
        let whole = line
            .strip_prefix('{')
            .and_then(|line| line.strip_suffix('}'))
            .map(|inner| inner.split('|').collect::<Vec<_>>());
        let grid = match whole.as_deref() {
            Some(["table", report, table]) => {
                library.get(results, report)?.table(table).cloned()?
            }
            Some(["table", report, table, columns]) => {
                choose(library.get(results, report)?.table(table)?, columns)?
            }
            Some(["compare", report, column, tables]) => {
                let report = library.get(results, report)?;
                side_by_side(column, &named(report, tables)?)?
            }
            Some(["compare", report, column, tables, rows]) => {
                let report = library.get(results, report)?;
                let mut grid = side_by_side(column, &named(report, tables)?)?;
                let rows: Result<Vec<_>, String> = rows
                    .split("; ")
                    .map(|row| Ok(grid.row(row)?.to_vec()))
                    .collect();
                grid.rows = rows?;
                grid
            }
            _ => {
                out.push(references(line, results, library)?);
                continue;
            }
        };
        out.extend(grid.markdown().lines().map(str::to_owned));
    }
    Ok(out)
}

/// The tables that a list names, under the names it has for them.
fn named<'a>(report: &'a Results, tables: &'a str) -> Result<Vec<(&'a str, &'a Grid)>, String> {
    let table = |name| Ok((name, report.table(name)?));
    tables.split("; ").map(table).collect()
}

/// A line with its references replaced.
fn references(line: &str, results: &Path, library: &mut Library) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('{') {
        let (inner, after) = behind
            .split_once('}')
            .ok_or_else(|| format!("`{{{behind}` has no end"))?;
        out.push_str(before);
        match inner.split('|').collect::<Vec<_>>()[..] {
            [report, what] => {
                let report = library.get(results, report)?;
                out.push_str(match what {
                    "command" => &report.command,
                    "commit" => &report.commit,
                    "compiler" => &report.compiler,
                    "machine" => &report.machine,
                    _ => {
                        return Err(format!(
                            "`{what}` is none of command, commit, compiler, machine"
                        ));
                    }
                });
            }
            [report, table, row, column] => {
                let table = library.get(results, report)?.table(table)?;
                out.push_str(table.cell(row, column)?);
            }
            _ => return Err(format!("`{{{inner}}}` is no reference")),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// A table with its first column and those that are named.
fn choose(table: &Grid, columns: &str) -> Result<Grid, String> {
    let mut chosen = vec![0];
    for name in columns.split(", ") {
        chosen.push(table.column(name)?);
    }
    let pick = |cells: &Vec<String>| chosen.iter().map(|&at| cells[at].clone()).collect();
    Ok(Grid {
        title: table.title.clone(),
        header: pick(&table.header),
        rows: table.rows.iter().map(pick).collect(),
    })
}

/// A column of several tables; a row that a table does not have is a dash there.
fn side_by_side(column: &str, tables: &[(&str, &Grid)]) -> Result<Grid, String> {
    let (_, first) = tables.first().ok_or("no table is named")?;
    let mut grid = Grid {
        title: column.to_owned(),
        header: vec![first.header[0].clone()],
        rows: Vec::new(),
    };
    for (name, table) in tables {
        grid.header.push((*name).to_owned());
        table.column(column)?;
        for row in &table.rows {
            if !grid.rows.iter().any(|known| known[0] == row[0]) {
                grid.rows.push(vec![row[0].clone()]);
            }
        }
    }
    for row in &mut grid.rows {
        for (_, table) in tables {
            let cell = table.cell(&row[0], column).unwrap_or("-");
            row.push(cell.to_owned());
        }
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let dir = std::env::temp_dir().join(format!("benches-tables-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let report = "- Command: `c`\n- Commit: `0`\n- Compiler: rustc\n- Machine: m\n\n\
            ### 1 KiB\n\n| server | us |\n|:--|--:|\n| a | 1.0 |\n| b | 2.0 |\n\n\
            ### 2 KiB\n\n| server | us |\n|:--|--:|\n| b | 4.0 |\n";
        fs::write(dir.join("r.md"), report).unwrap();
        dir
    }

    #[test]
    fn a_template_is_written_out_behind_itself_and_again_the_same() {
        let template = "{table|r|1 KiB}\n{compare|r|us|1 KiB; 2 KiB}\n{compare|r|us|2 KiB|b}\nb takes {r|2 KiB|b|us} us on {r|machine}.";
        let want = "| server |  us |\n|:-------|----:|\n| a      | 1.0 |\n| b      | 2.0 |\n\
            | server | 1 KiB | 2 KiB |\n|:-------|------:|------:|\n| a      |   1.0 |     - |\n| b      |   2.0 |   4.0 |\n\
            | server | 2 KiB |\n|:-------|------:|\n| b      |   4.0 |\n\
            b takes 4.0 us on m.";
        let document =
            format!("before\n{OPEN}\n{template}\n-->\nold\nolder\n{CLOSE}\n\nbehind {{x}}\n");
        let (once, faults) = render(&document, &folder(), &mut Library::default());
        assert_eq!(faults, [""; 0]);
        assert_eq!(
            once,
            format!("before\n{OPEN}\n{template}\n-->\n{want}\n{CLOSE}\n\nbehind {{x}}\n")
        );
        let (twice, _) = render(&once, &folder(), &mut Library::default());
        assert_eq!(twice, once);
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_changes_nothing() {
        let cases = [
            ("{r|3 KiB|b|us}", "`3 KiB` is none"),
            ("{r|1 KiB|c|us}", "no row `c`"),
            ("{r|1 KiB|a|ms}", "no column `ms`"),
            ("{absent|1 KiB|a|us}", "absent --save` writes it"),
            ("{r|weather}", "`weather` is none of"),
            ("{r", "has no end"),
            ("{r|1 KiB|a}", "is no reference"),
        ];
        for (template, want) in cases {
            let document = format!("x\n{OPEN}\n{template}\n-->\nold\n{CLOSE}\n");
            let (after, faults) = render(&document, &folder(), &mut Library::default());
            assert_eq!(after, document, "{template}");
            assert!(
                faults[0].starts_with("2: ") && faults[0].contains(want),
                "{template}: {faults:?}"
            );
        }
        let (_, faults) = render("<!-- measured\nx\n", &folder(), &mut Library::default());
        assert!(faults[0].contains("without `-->`"), "{faults:?}");
    }

    #[test]
    fn a_fenced_template_is_an_example() {
        let document = format!("```markdown\n{OPEN}\n{{nothing}}\n```\n");
        let (after, faults) = render(&document, &folder(), &mut Library::default());
        assert_eq!((after, faults.len()), (document, 0));
    }
}
