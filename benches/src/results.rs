//! Committed results, read back: the tables of `results/<report>.md`, and where they come from.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    baseline::{self, Baseline, Section},
    report::number,
};

/// The tables of one report.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// The stem of its file.
    pub report: String,
    /// What was typed.
    pub command: String,
    /// The commit that was measured.
    pub commit: String,
    /// The compiler.
    pub compiler: String,
    /// The machine.
    pub machine: String,
    /// Its tables, in order.
    pub tables: Vec<Grid>,
}

/// A table as it was printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    /// The heading above it.
    pub title: String,
    /// The names of the columns.
    pub header: Vec<String>,
    /// The cells, without padding.
    pub rows: Vec<Vec<String>>,
}

impl Results {
    /// Reads `<report>.md` of a folder.
    ///
    /// # Errors
    /// If there is no such file, with the command that makes it, or if it does not say where it comes from.
    pub fn read(dir: &Path, report: &str) -> Result<Self, String> {
        let path = dir.join(format!("{report}.md"));
        let text = fs::read_to_string(&path).map_err(|error| {
            format!(
                "benches/results/{report}.md: {error}; `cargo run --release -p benches -- {} --save` writes it",
                report.split('-').next().unwrap_or(report)
            )
        })?;
        Self::parse(report, &text)
    }

    /// Reads a report's text.
    ///
    /// # Errors
    /// If it does not say where it comes from.
    pub fn parse(report: &str, text: &str) -> Result<Self, String> {
        let line = |label: &str| {
            let start = format!("- {label}: ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            line.map(|value| value.trim_matches('`').to_owned())
                .ok_or_else(|| format!("benches/results/{report}.md has no line `{start}`"))
        };
        Ok(Self {
            report: report.to_owned(),
            command: line("Command")?,
            commit: line("Commit")?,
            compiler: line("Compiler")?,
            machine: line("Machine")?,
            tables: grids(text),
        })
    }

    /// The table with this title; what stands before its colon, or its beginning, its end or a part of it will do when
    /// there is no other such table.
    ///
    /// # Errors
    /// If there is none or more than one.
    pub fn table(&self, title: &str) -> Result<&Grid, String> {
        let ways: [fn(&str, &str) -> bool; 5] = [
            |own, asked| own == asked,
            |own, asked| {
                own.split_once(':')
                    .is_some_and(|(before, _)| before == asked)
            },
            |own, asked| own.starts_with(asked),
            |own, asked| own.ends_with(asked),
            |own, asked| own.contains(asked),
        ];
        for way in ways {
            let found: Vec<&Grid> = self
                .tables
                .iter()
                .filter(|table| way(&table.title, title))
                .collect();
            if let [table] = found[..] {
                return Ok(table);
            }
        }
        let titles: Vec<&str> = self
            .tables
            .iter()
            .map(|table| table.title.as_str())
            .collect();
        Err(format!(
            "`{title}` is none, or not only one, of the tables of benches/results/{}.md: {}",
            self.report,
            titles.join("; ")
        ))
    }
}

impl Grid {
    /// The row that begins with these cells: `axum`, or `slowloris + axum` where the first cell is not enough.
    ///
    /// # Errors
    /// If there is none.
    pub fn row(&self, name: &str) -> Result<&[String], String> {
        let cells: Vec<&str> = name.split(" + ").collect();
        let row = self
            .rows
            .iter()
            .find(|row| row.len() >= cells.len() && row.iter().zip(&cells).all(|(a, b)| a == b));
        row.map(Vec::as_slice)
            .ok_or_else(|| format!("the table `{}` has no row `{name}`", self.title))
    }

    /// Which column has this name; `min#2` is the second of that name, `CPU us~1` the one to the right of `CPU us`.
    ///
    /// # Errors
    /// If there is none.
    pub fn column(&self, name: &str) -> Result<usize, String> {
        let number = |text: &str| text.parse::<usize>().ok();
        let (base, right) = match name.rsplit_once('~') {
            Some((base, steps)) => (base, number(steps)),
            None => (name, Some(0)),
        };
        let (base, nth) = match base.rsplit_once('#') {
            Some((base, nth)) => (base, number(nth)),
            None => (base, Some(1)),
        };
        let mut same = (0..self.header.len()).filter(|&at| self.header[at] == base);
        nth.zip(right)
            .and_then(|(nth, right)| Some(same.nth(nth.checked_sub(1)?)? + right))
            .filter(|&at| at < self.header.len())
            .ok_or_else(|| {
                format!(
                    "the table `{}` has no column `{name}`; it has {}",
                    self.title,
                    self.header.join(", ")
                )
            })
    }

    /// One cell.
    ///
    /// # Errors
    /// If there is no such row or column.
    pub fn cell(&self, row: &str, column: &str) -> Result<&str, String> {
        Ok(&self.row(row)?[self.column(column)?])
    }

    /// Markdown with columns padded, so that it reads in a terminal too; the first column is text, the others are
    /// numbers and stand right.
    pub fn markdown(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            let header = self.header[column].chars().count();
            cells.chain([header, 3]).max().unwrap_or(3)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut line = String::from("|");
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                if column == 0 {
                    line.push_str(&format!(" {cell:<width$} |"));
                } else {
                    line.push_str(&format!(" {cell:>width$} |"));
                }
            }
            line.push('\n');
            line
        };
        let mut out = line(&self.header);
        out.push('|');
        for (column, width) in widths.iter().enumerate() {
            let dashes = "-".repeat(width + 1);
            if column == 0 {
                out.push_str(&format!(":{dashes}|"));
            } else {
                out.push_str(&format!("{dashes}:|"));
            }
        }
        out.push('\n');
        for row in &self.rows {
            out.push_str(&line(row));
        }
        out
    }
}

/// The tables of a Markdown text that have a heading.
fn grids(text: &str) -> Vec<Grid> {
    let mut grids: Vec<Grid> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            grids.push(Grid {
                title: title.to_owned(),
                ..Grid::default()
            });
        } else if let (Some(grid), Some(cells)) = (grids.last_mut(), cells(line)) {
            if grid.header.is_empty() {
                grid.header = cells;
            } else if !cells
                .iter()
                .all(|cell| cell.trim_matches([':', '-']).is_empty())
                || cells.iter().all(String::is_empty)
            {
                grid.rows.push(cells);
            }
        }
    }
    grids
}

/// The cells of a line of a table.
pub fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect(),
    )
}

/// Reports read once.
#[derive(Debug, Default)]
pub struct Library(BTreeMap<String, Results>);

impl Library {
    /// The report of this name in a folder; `baseline` is the newest baseline, with a table a suite.
    ///
    /// # Errors
    /// As [`Results::read`].
    pub fn get(&mut self, dir: &Path, report: &str) -> Result<&Results, String> {
        if !self.0.contains_key(report) {
            let results = match report {
                "baseline" => of_baseline(&baseline::newest()?),
                report => Results::read(dir, report)?,
            };
            self.0.insert(report.to_owned(), results);
        }
        Ok(&self.0[report])
    }
}

/// What the gate holds, as tables.
fn of_baseline(baseline: &Baseline) -> Results {
    let header = ["hot path", "instructions", "allocations"];
    let table = |(suite, section): (&String, &Section)| Grid {
        title: suite.clone(),
        header: header.map(str::to_owned).to_vec(),
        rows: section
            .hot_paths
            .iter()
            .map(|(name, held)| {
                let counts = [held.profile.instructions, held.allocations];
                [name.clone()]
                    .into_iter()
                    .chain(counts.map(number))
                    .collect()
            })
            .collect(),
    };
    Results {
        report: "baseline".to_owned(),
        command: baseline.provenance.command.clone(),
        commit: baseline.provenance.commit.clone(),
        compiler: baseline.provenance.rustc.clone(),
        machine: baseline.provenance.cpu.clone(),
        tables: baseline.suites.iter().map(table).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "# r\n\n- Command: `x r --save`\n- Commit: `0123456789ab`\n- Compiler: rustc\n- Machine: m\n\n\
        ### 1 KiB: small\n\n| server | us | min | us | min |\n|:--|--:|--:|--:|--:|\n| a | 1 | 2 | 3 | 4 |\n\n\
        ### 1 KiB while busy\n\n| attack | server | ms |\n|:--|--:|--:|\n| slow | a | 5 |\n| slow | b | - |\n";

    #[test]
    fn reads_what_was_written() {
        let results = Results::parse("r", REPORT).unwrap();
        assert_eq!(results.command, "x r --save");
        assert_eq!(results.commit, "0123456789ab");
        assert_eq!(results.tables.len(), 2);
        assert_eq!(results.tables[1].rows[1], ["slow", "b", "-"]);
        let again = format!("### t\n\n{}", results.tables[0].markdown());
        assert_eq!(grids(&again)[0].rows, results.tables[0].rows);
    }

    #[test]
    fn cells_are_found_by_names_that_are_not_ambiguous() {
        let results = Results::parse("r", REPORT).unwrap();
        let cases = [
            ("1 KiB", "a", "us", Some("1")),
            ("1 KiB", "a", "us#2", Some("3")),
            ("1 KiB", "a", "us~1", Some("2")),
            ("1 KiB", "a", "us#2~1", Some("4")),
            ("1 KiB while busy", "slow + b", "ms", Some("-")),
            ("busy", "slow", "ms", Some("5")),
            ("KiB", "a", "us", None),
            ("1 KiB", "c", "us", None),
            ("1 KiB", "a", "us#3", None),
            ("1 KiB", "a", "min#2~1", None),
            ("1 KiB", "a", "us#0", None),
        ];
        for (title, row, column, want) in cases {
            let got = results
                .table(title)
                .and_then(|table| table.cell(row, column));
            assert_eq!(got.ok(), want, "{title} | {row} | {column}");
        }
    }

    #[test]
    fn a_report_without_its_origin_is_refused() {
        assert!(Results::parse("r", &REPORT.replace("- Commit", "- Comet")).is_err());
    }
}
