//! Results as a Markdown table on the screen and, when asked, as Markdown and JSON in `benches/results/`.

use std::{fs, path::PathBuf};

use serde::Serialize;

use crate::machine::Provenance;

/// A table of a report.
#[derive(Debug, Default)]
pub(crate) struct Table {
    title: String,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, header: &[&'static str]) -> Self {
        Self {
            title: title.into(),
            header: header.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.header.len());
        self.rows.push(cells);
    }

    /// Markdown with columns padded, so that it reads in a terminal too; numbers stand right.
    pub(crate) fn markdown(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells
                .chain([self.header[column].len(), 3])
                .max()
                .unwrap_or(3)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: Vec<&str>| {
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
        let mut out = format!("### {}\n\n", self.title);
        out.push_str(&line(self.header.clone()));
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
            out.push_str(&line(row.iter().map(String::as_str).collect()));
        }
        out
    }
}

#[derive(Serialize)]
struct Document<'a, R> {
    suite: &'a str,
    provenance: &'a Provenance,
    rows: &'a [R],
}

/// Where committed results are kept.
pub(crate) fn results_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// Writes `<suite>.md` and `<suite>.json` to the results when `save` is set; says where.
pub(crate) fn finish<R: Serialize>(
    suite: &str,
    notes: &str,
    tables: &[Table],
    rows: &[R],
    save: bool,
) -> Result<(), String> {
    let provenance = Provenance::here();
    println!("{}", provenance.markdown());
    if !save {
        return Ok(());
    }
    let mut text = format!("# {suite}\n\n{notes}\n\n{}", provenance.markdown());
    for table in tables {
        text.push('\n');
        text.push_str(&table.markdown());
    }
    let document = Document {
        suite,
        provenance: &provenance,
        rows,
    };
    let json = serde_json::to_string_pretty(&document).map_err(|e| e.to_string())?;
    let dir = results_dir();
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for (extension, content) in [("md", text), ("json", json + "\n")] {
        let path = dir.join(format!("{suite}.{extension}"));
        fs::write(&path, content).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

/// A number with as many decimals as it deserves.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".into(),
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut table = Table::new("t", &["name", "n"]);
        table.row(vec!["a".into(), number(12.345)]);
        let want = "### t\n\n| name |    n |\n|:-----|-----:|\n| a    | 12.3 |\n";
        assert_eq!(table.markdown(), want);
    }
}
