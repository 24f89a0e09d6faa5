//! Figures in the documents: those of suites are written by `benches -- tables` from the committed results; any other
//! has the command beside it that prints it.

use benches::{
    report::results_dir,
    results::{Library, cells},
    suites,
    tables::render,
};

use crate::text::{Document, Kind, Line, Section, documents};

#[test]
fn measured_text_is_what_the_results_say() {
    let mut library = Library::default();
    let mut faults = Vec::new();
    let mut blocks = 0;
    for document in documents() {
        blocks += document.text.matches("<!-- /measured -->").count();
        let (after, more) = render(&document.text, &results_dir(), &mut library);
        faults.extend(
            more.into_iter()
                .map(|fault| format!("{}:{fault}", document.name)),
        );
        for (index, (was, is)) in document.text.lines().zip(after.lines()).enumerate() {
            if was != is {
                faults.push(format!(
                    "{}:{}: has\n    {was}\n  instead of\n    {is}",
                    document.name,
                    index + 1
                ));
                break;
            }
        }
        if faults.is_empty() && after.len() != document.text.len() {
            faults.push(format!("{}: has lines too many or too few", document.name));
        }
    }
    assert!(blocks >= 10, "only {blocks} measured texts were found");
    assert!(
        faults.is_empty(),
        "`cargo run -p benches -- tables` writes measured text from benches/results/:\n{}",
        faults.join("\n")
    );
}

/// A reader who doubts a figure types what stands in the same section.
#[test]
fn figures_have_their_command_beside_them() {
    let mut faults = Vec::new();
    for document in documents() {
        for section in document.sections() {
            let quoted = commands(&section);
            for report in reports(&section) {
                let suite = if report == "baseline" {
                    "gate"
                } else {
                    suite_of(&report)
                };
                if !quoted
                    .iter()
                    .any(|command| command.contains(&format!("-p benches -- {suite}")))
                {
                    faults.push(format!(
                        "{}:{}: figures of `{report}` without `cargo run --release -p benches -- {suite}` beside them",
                        document.name, section.line
                    ));
                }
            }
            if quoted.is_empty()
                && let Some(line) = section
                    .lines
                    .iter()
                    .find(|line| line.kind == Kind::Prose && has_figure(&line.text))
            {
                faults.push(format!(
                    "{}:{}: a figure without a command in its section: {}",
                    document.name, line.number, line.text
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A table of figures stands still only where a test prints it; one of a suite is written by the driver.
#[test]
fn tables_of_figures_are_written_from_results() {
    let mut faults = Vec::new();
    for document in documents() {
        for section in document.sections() {
            let prints = |command: &String| {
                let program = command.split(' ').next().unwrap_or_default();
                command.starts_with("cargo test ")
                    || command.starts_with("cargo bench ")
                    || program.contains("scripts/")
            };
            let printed = commands(&section).iter().any(prints);
            for table in tables(&section) {
                if is_measured(&table) && !printed && !is_exempt(&section, table[0].number) {
                    faults.push(place(&document, &table));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "tables of figures that are neither `<!-- measured` nor beside the `cargo test` or script that prints them:\n{}",
        faults.join("\n")
    );
}

fn place(document: &Document, table: &[&Line]) -> String {
    format!("{}:{}: {}", document.name, table[0].number, table[0].text)
}

fn commands(section: &Section) -> Vec<String> {
    section
        .commands()
        .into_iter()
        .map(|(_, words)| words.join(" "))
        .collect()
}

/// The reports that the section's templates refer to.
fn reports(section: &Section) -> Vec<String> {
    let mut reports = Vec::new();
    for line in section
        .lines
        .iter()
        .filter(|line| line.kind == Kind::Template)
    {
        for inner in line.text.split('{').skip(1) {
            let mut words = inner.split(['|', '}']);
            let report = match words.next() {
                Some("table" | "compare") => words.next(),
                first => first,
            };
            reports.extend(report.map(str::to_owned));
        }
    }
    reports.sort();
    reports.dedup();
    reports
}

/// A report is called as its suite, or that and `-<part>`.
fn suite_of(report: &str) -> &'static str {
    let of = |name: &&str| {
        report == *name
            || report
                .strip_prefix(name)
                .is_some_and(|part| part.starts_with('-'))
    };
    let found = suites::ALL.iter().map(|suite| suite.name).find(of);
    found.unwrap_or_else(|| panic!("`{report}` is the report of no suite"))
}

/// The tables in a section's prose.
fn tables(section: &Section) -> Vec<Vec<&Line>> {
    let mut tables: Vec<Vec<&Line>> = Vec::new();
    let mut inside = false;
    for line in &section.lines {
        let row = line.kind == Kind::Prose && cells(&line.text).is_some();
        match (row, inside, tables.last_mut()) {
            (true, true, Some(table)) => table.push(line),
            (true, _, _) => tables.push(vec![line]),
            _ => {}
        }
        inside = row;
    }
    tables
}

/// Whether the line above a table says that it defines something, or that it has counts, which repeat wherever the
/// command beside them is run; times never stand by themselves.
fn is_exempt(section: &Section, first: usize) -> bool {
    const WORDS: [&str; 2] = [
        "<!-- defined, not measured -->",
        "<!-- counted, not timed -->",
    ];
    let above = section.lines.iter().find(|line| line.number + 1 == first);
    above.is_some_and(|line| WORDS.contains(&line.text.as_str()))
}

/// Whether at least a third of the cells right of the first column are figures.
fn is_measured(table: &[&Line]) -> bool {
    let rows = table.iter().skip(2).filter_map(|line| cells(&line.text));
    let values: Vec<String> = rows.flat_map(|row| row.into_iter().skip(1)).collect();
    let figures = values
        .iter()
        .filter(|value| value.starts_with(|c: char| c.is_ascii_digit()))
        .count();
    figures * 3 >= values.len() && figures > 1
}

/// Whether a line has a number with a unit that only a measurement has.
fn has_figure(line: &str) -> bool {
    const UNITS: [&str; 6] = [
        "ns",
        "µs",
        "us",
        "instructions",
        "allocations",
        "requests/s",
    ];
    let line = line.replace(['(', ')', ',', ';'], " ");
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |word: &str| word.trim_end_matches('.').parse::<f64>().is_ok();
    words
        .windows(2)
        .any(|pair| number(pair[0]) && UNITS.contains(&pair[1].trim_end_matches(['.', '|'])))
        || words.iter().any(|word| {
            word.trim_end_matches('.')
                .strip_suffix('x')
                .is_some_and(number)
        })
}

#[test]
fn figures_are_told_from_other_numbers() {
    let cases = [
        ("takes 12.6 ns a look-up", true),
        ("costs 0.17x of axum's", true),
        ("(218 instructions)", true),
        ("| a | 5.0 allocations |", true),
        ("a limit of 64 MiB for 30 s", false),
        ("RFC 9110 §15.5.6", false),
        ("HTTP/2 on x86", false),
    ];
    for (line, want) in cases {
        assert_eq!(has_figure(line), want, "{line}");
    }
}
