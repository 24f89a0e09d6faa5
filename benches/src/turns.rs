//! Suites in their turns: how long each took, and which failed.

use std::{
    any::Any,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use crate::{compile, report::Table, suite::Options, suite::Suite};

/// What became of a suite.
struct Turn {
    name: &'static str,
    took: Duration,
    /// The part of it that was waiting for cargo.
    compiling: Duration,
    result: Result<(), String>,
}

/// Runs a suite and says how long it took.
pub(crate) fn one(suite: &Suite, options: &Options) -> Result<(), String> {
    let turn = run(suite, options);
    println!("--- {}: {}", turn.name, turn.time());
    turn.result
}

/// Runs every suite, whatever becomes of the others, and fails when one has failed.
pub(crate) fn all(suites: &[Suite], options: &Options) -> Result<(), String> {
    let mut turns = Vec::new();
    for suite in suites {
        println!("\n=== {}: {}\n", suite.name, suite.about);
        let turn = run(suite, options);
        println!("--- {}: {}", turn.name, turn.time());
        if let Err(error) = &turn.result {
            eprintln!("error: {}: {error}", turn.name);
        }
        turns.push(turn);
    }
    println!("\n{}", summary(&turns));
    verdict(&turns)
}

/// A suite that panics has failed, and the others still have their turns.
fn run(suite: &Suite, options: &Options) -> Turn {
    let (start, compiled) = (Instant::now(), compile::spent());
    let ended = catch_unwind(AssertUnwindSafe(|| (suite.run)(options)));
    Turn {
        name: suite.name,
        took: start.elapsed(),
        compiling: compile::spent().saturating_sub(compiled),
        result: ended.unwrap_or_else(|panic| Err(format!("panicked: {}", words(&*panic)))),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}

impl Turn {
    fn time(&self) -> String {
        let mut text = format!("{:.1} s", self.took.as_secs_f64());
        if self.compiling >= Duration::from_secs(1) {
            let compiling = self.compiling.as_secs_f64();
            let _ = write!(text, ", of which {compiling:.1} s to compile");
        }
        text
    }
}

fn summary(turns: &[Turn]) -> String {
    let mut table = Table::new(
        "all suites",
        &["suite", "measuring s", "compiling s", "result"],
    );
    let mut row = |name: &str, took: Duration, compiling: Duration, result: &str| {
        let measuring = took.saturating_sub(compiling).as_secs_f64();
        table.row(vec![
            name.to_owned(),
            format!("{measuring:.1}"),
            format!("{:.1}", compiling.as_secs_f64()),
            result.to_owned(),
        ]);
    };
    for turn in turns {
        let result = if turn.result.is_ok() { "ok" } else { "FAILED" };
        row(turn.name, turn.took, turn.compiling, result);
    }
    let failed = turns.iter().filter(|turn| turn.result.is_err()).count();
    let result = match failed {
        0 => "ok".to_owned(),
        _ => format!("{failed} FAILED"),
    };
    let took = turns.iter().map(|turn| turn.took).sum();
    row(
        "together",
        took,
        turns.iter().map(|turn| turn.compiling).sum(),
        &result,
    );
    table.markdown()
}

fn verdict(turns: &[Turn]) -> Result<(), String> {
    let failed = turns.iter().filter_map(|turn| {
        let error = turn.result.as_ref().err()?;
        Some(format!("{}: {error}", turn.name))
    });
    let failed: Vec<String> = failed.collect();
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("suites that failed:\n{}", failed.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    fn works(_: &Options) -> Result<(), String> {
        RUNS.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    #[test]
    fn a_suite_that_fails_or_panics_does_not_keep_the_others_from_their_turns() {
        let suites = [
            Suite::new("fails", "", |_| Err("no luck".into())),
            Suite::new("works", "", works),
            Suite::new("panics", "", |_| panic!("{}", "out of range")),
            Suite::new("works again", "", works),
        ];
        let error = all(&suites, &Options::default()).unwrap_err();
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
        assert_eq!(
            error,
            "suites that failed:\nfails: no luck\npanics: panicked: out of range"
        );
    }

    #[test]
    fn the_summary_tells_measuring_from_compiling_and_names_what_failed() {
        let turn = |name, took, compiling, result| Turn {
            name,
            took: Duration::from_secs(took),
            compiling: Duration::from_secs(compiling),
            result,
        };
        let turns = [
            turn("server", 100, 60, Ok(())),
            turn("pool", 20, 0, Err("why".into())),
        ];
        let text = summary(&turns);
        let cells = |start: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.contains(start)).unwrap();
            line.split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        assert_eq!(cells("server"), ["", "server", "40.0", "60.0", "ok", ""]);
        assert_eq!(cells("pool"), ["", "pool", "20.0", "0.0", "FAILED", ""]);
        assert_eq!(
            cells("together"),
            ["", "together", "60.0", "60.0", "1 FAILED", ""]
        );
        assert_eq!(
            verdict(&turns),
            Err("suites that failed:\npool: why".to_owned())
        );
        assert_eq!(verdict(&turns[..1]), Ok(()));
    }
}
