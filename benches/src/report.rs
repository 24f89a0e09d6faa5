//! Results as Markdown tables on the screen and, when asked, as Markdown, JSON and SVG in `benches/results/`.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    machine::Provenance, plot::Plot, results::Grid, rounds::Series, stats::Interval,
    suite::Options, tools,
};

/// A table of a report.
#[derive(Debug, Default)]
pub struct Table(Grid);

impl Table {
    /// An empty table; the first column is text, the others are numbers.
    pub fn new<H: AsRef<str>>(title: impl Into<String>, header: &[H]) -> Self {
        Self(Grid {
            title: title.into(),
            header: header.iter().map(|cell| cell.as_ref().to_owned()).collect(),
            rows: Vec::new(),
        })
    }

    /// Adds a row of as many cells as the header has.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.0.header.len());
        self.0.rows.push(cells);
    }

    /// A row a series: for each metric its median with the spread, then the ratio of the first metric to the reference's, with its interval.
    pub fn of_series(
        title: impl Into<String>,
        subject: &str,
        metrics: &[&str],
        all: &[Series],
        reference: &str,
    ) -> Self {
        let mut header = vec![subject.to_owned()];
        for metric in metrics {
            header.push((*metric).to_owned());
            header.push("±%".to_owned());
        }
        let first = metrics.first().copied().unwrap_or_default();
        header.push(format!("{first}: of {reference}'s"));
        header.push("95 %".to_owned());
        let mut table = Self::new(title, &header);
        let base = all.iter().find(|series| series.name == reference);
        for series in all {
            let mut cells = vec![series.name.clone()];
            for metric in metrics {
                cells.push(number(series.median(metric)));
                cells.push(format!("{:.1}", series.spread(metric)));
            }
            let ratio = base.map(|base| series.ratio(base, first));
            cells.push(ratio.map_or_else(|| "-".into(), |r| format!("{:.2}x", r.middle)));
            cells.push(
                ratio.map_or_else(|| "-".into(), |r| format!("{:.2} to {:.2}", r.low, r.high)),
            );
            table.row(cells);
        }
        table
    }

    /// Markdown under its title.
    pub fn markdown(&self) -> String {
        format!("### {}\n\n{}", self.0.title, self.0.markdown())
    }
}

/// A number that a reader would quote. Baselines keep them, and `compare` sets them side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is, unique in its suite: `64 KiB: CPU a request, of ServeDir's`.
    pub name: String,
    /// Its value and interval.
    pub value: Interval,
    /// Its unit; `x` for a ratio.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
}

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less of it: time, memory, instructions.
    Lower,
    /// More of it: rates.
    Higher,
}

/// What a suite found, to be printed and saved.
#[derive(Debug)]
pub struct Report {
    name: String,
    notes: Vec<String>,
    tables: Vec<Table>,
    figures: Vec<Figure>,
    rows: Vec<Value>,
    plots: Vec<(String, Plot)>,
}

#[derive(Serialize)]
struct Document<'a> {
    suite: &'a str,
    provenance: &'a Provenance,
    programs: &'a [String],
    not_compared: &'a [String],
    figures: &'a [Figure],
    rows: &'a [Value],
}

impl Report {
    /// An empty report; `name` is the stem of its files: the suite's name, or that and a dash and a part's name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            notes: Vec::new(),
            tables: Vec::new(),
            figures: Vec::new(),
            rows: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// A paragraph on what was measured and how to read it.
    pub fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(text.into());
        self
    }

    /// Prints a table and keeps it.
    pub fn table(&mut self, table: Table) -> &mut Self {
        println!("{}", table.markdown());
        self.tables.push(table);
        self
    }

    /// Keeps raw samples or rows for the JSON.
    pub fn rows<R: Serialize>(&mut self, rows: &[R]) -> Result<&mut Self, String> {
        for row in rows {
            self.rows
                .push(serde_json::to_value(row).map_err(|e| e.to_string())?);
        }
        Ok(self)
    }

    /// Keeps the raw samples of one case.
    pub fn series(&mut self, case: &str, all: &[Series]) -> Result<&mut Self, String> {
        for series in all {
            self.rows.push(serde_json::json!({
                "case": case,
                "subject": series.name,
                "samples": series.metrics,
            }));
        }
        Ok(self)
    }

    /// Keeps a figure for baselines.
    pub fn figure(
        &mut self,
        name: impl Into<String>,
        value: Interval,
        unit: &str,
        better: Better,
    ) -> &mut Self {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit: unit.to_owned(),
            better,
        });
        self
    }

    /// Keeps a plot, which is saved as `<report>-<name>.svg`.
    pub fn plot(&mut self, name: &str, plot: Plot) -> &mut Self {
        self.plots.push((name.to_owned(), plot));
        self
    }

    /// Prints where and how this was measured, and writes the files when that is asked for.
    pub fn finish(&self, options: &Options) -> Result<(), String> {
        let provenance = Provenance::here();
        let (programs, not_compared) = tools::seen();
        println!("{}", provenance.markdown());
        for line in &not_compared {
            println!("NOT COMPARED: {line}");
        }
        if !options.save {
            return Ok(());
        }
        if options.quick {
            println!("ATTENTION: saving a trial; do not commit it as a result");
        }
        let document = Document {
            suite: &self.name,
            provenance: &provenance,
            programs: &programs,
            not_compared: &not_compared,
            figures: &self.figures,
            rows: &self.rows,
        };
        let json = serde_json::to_string_pretty(&document).map_err(|e| e.to_string())?;
        let markdown = self.markdown(&provenance, &programs, &not_compared);
        write_result(&format!("{}.md", self.name), &markdown)?;
        write_result(&format!("{}.json", self.name), &(json + "\n"))?;
        for (name, plot) in &self.plots {
            write_result(&format!("{}-{name}.svg", self.name), &plot.svg()?)?;
        }
        Ok(())
    }

    fn markdown(&self, provenance: &Provenance, programs: &[String], missing: &[String]) -> String {
        let mut text = format!("# {}\n", self.name);
        for note in &self.notes {
            text.push_str(&format!("\n{note}\n"));
        }
        text.push_str(&format!("\n{}", provenance.markdown()));
        if !programs.is_empty() {
            text.push_str(&format!("- Programs: {}\n", programs.join("; ")));
        }
        for line in missing {
            text.push_str(&format!("- Not compared: {line}\n"));
        }
        for (name, plot) in &self.plots {
            text.push_str(&format!(
                "\n![{}]({}-{name}.svg)\n",
                plot.title(),
                self.name
            ));
        }
        for table in &self.tables {
            text.push('\n');
            text.push_str(&table.markdown());
        }
        text
    }
}

/// Where committed results are kept.
pub fn results_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results")
}

fn write_result(name: &str, content: &str) -> Result<(), String> {
    let dir = results_dir();
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let path = dir.join(name);
    fs::write(&path, content).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// A number with as many decimals as it deserves.
pub fn number(value: f64) -> String {
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
    use crate::rounds::{self, Sample};

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut table = Table::new("t", &["name", "n"]);
        table.row(vec!["a".into(), number(12.345)]);
        let want = "### t\n\n| name |    n |\n|:-----|-----:|\n| a    | 12.3 |\n";
        assert_eq!(table.markdown(), want);
    }

    #[test]
    fn a_table_of_series_has_medians_and_ratios() {
        let mut subjects = [("ours".to_owned(), 5.0), ("peer".to_owned(), 10.0)];
        let all = rounds::interleave("t", &mut subjects, 3, |_, value, _| {
            Ok(Sample::new().with("us", *value))
        })
        .unwrap();
        let text = Table::of_series("t", "server", &["us"], &all, "peer").markdown();
        let ours = text
            .lines()
            .find(|line| line.starts_with("| ours"))
            .unwrap();
        let cells: Vec<_> = ours.split('|').map(str::trim).collect();
        assert_eq!(
            cells,
            ["", "ours", "5.00", "0.0", "0.50x", "0.50 to 0.50", ""]
        );
    }
}
