//! The command line: a command a suite, and those that belong to all.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::{
    baseline, gate, load, process,
    suite::{Options, Suite},
    suites, tables, turns,
};

/// Runs the command line; errors are printed.
pub fn run() -> ExitCode {
    match dispatch(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a command line is one that the driver takes, such as `["router", "--quick"]`; why not, otherwise.
pub fn parses(arguments: &[&str]) -> Result<(), String> {
    let line = ["benches"].iter().chain(arguments);
    let matches = command().try_get_matches_from(line);
    let matches =
        matches.map_err(|e| e.to_string().lines().next().unwrap_or_default().to_owned())?;
    match matches.subcommand() {
        Some((name, matches)) => match suites::named(name) {
            Ok(suite) => options(matches, Some(suite)).map(drop),
            Err(_) => Ok(()),
        },
        None => Err("a command is needed".into()),
    }
}

fn command() -> Command {
    let words = |name: &'static str| {
        Command::new(name).arg(
            Arg::new("words")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true),
        )
    };
    let mut command = Command::new("benches")
        .about("Measures the crates of this workspace beside their peers")
        .subcommand_required(true)
        .arg_required_else_help(true);
    for suite in suites::ALL {
        command = command.subcommand(suite_command(suite));
    }
    command
        .subcommand(common(Command::new("all").about("Every suite, in turn")))
        .subcommand(load::Options::augment_args(Command::new("load").about(
            "Requests to a running server: errors, rate, latencies, memory",
        )))
        .subcommand(gate::Options::augment_args(
            Command::new("gate").about("The hot paths' counts against the newest baseline"),
        ))
        .subcommand(baseline::Options::augment_args(
            Command::new("baseline").about("Writes this version's baseline"),
        ))
        .subcommand(baseline::CompareOptions::augment_args(
            Command::new("compare").about("What changed from one baseline to another"),
        ))
        .subcommand(tables::Options::augment_args(Command::new("tables").about(
            "Writes the documents' measured text from the committed results",
        )))
        .subcommand(words("serve").hide(true))
        .subcommand(words("probe").hide(true))
}

/// What every suite takes.
fn common(command: Command) -> Command {
    let flag = |name, help| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    command
        .arg(flag(
            "quick",
            "Fewer rounds and smaller cases: a trial, not a result",
        ))
        .arg(flag("save", "Write the result to benches/results/"))
        .arg(flag(
            "priority",
            "Run before all other processes, where there are others (real-time priority: needs root)",
        ))
}

fn suite_command(suite: &'static Suite) -> Command {
    let list = |name, short: &'static str, known: &'static [&'static str]| {
        let arg = Arg::new(name)
            .long(name)
            .value_delimiter(',')
            .action(ArgAction::Append);
        let names = if known.is_empty() {
            String::new()
        } else {
            format!(": {}", known.join(", "))
        };
        arg.help(format!("{short}{names}"))
    };
    let mut command = common(Command::new(suite.name).about(suite.about))
        .arg(list(
            "peers",
            "Only these peers (ours and the reference are always there)",
            suite.peers,
        ))
        .arg(list("case", "Only these cases", suite.cases).visible_alias("set"));
    for &(name, help) in suite.switches {
        let switch = Arg::new(name).long(name).action(ArgAction::SetTrue);
        command = command.arg(switch.help(help));
    }
    command
}

fn dispatch(matches: &ArgMatches) -> Result<(), String> {
    let (name, matches) = matches.subcommand().ok_or("a command is needed")?;
    match name {
        "all" => turns::all(suites::ALL, &prepared(options(matches, None)?)?),
        "load" => load::run_command(&parsed(matches)?),
        "gate" => gate::run(&parsed(matches)?),
        "baseline" => baseline::run(&parsed(matches)?),
        "compare" => baseline::compare(&parsed(matches)?),
        "tables" => tables::run(&parsed(matches)?),
        "serve" => serve(&words(matches)),
        "probe" => probe(&words(matches)),
        suite => {
            let suite = suites::named(suite)?;
            turns::one(suite, &prepared(options(matches, Some(suite))?)?)
        }
    }
}

fn parsed<T: FromArgMatches>(matches: &ArgMatches) -> Result<T, String> {
    T::from_arg_matches(matches).map_err(|e| e.to_string())
}

fn words(matches: &ArgMatches) -> Vec<String> {
    let words = matches.get_many::<String>("words");
    words.into_iter().flatten().cloned().collect()
}

fn options(matches: &ArgMatches, suite: Option<&Suite>) -> Result<Options, String> {
    let mut options = Options {
        quick: matches.get_flag("quick"),
        save: matches.get_flag("save"),
        priority: matches.get_flag("priority"),
        ..Options::default()
    };
    let Some(suite) = suite else {
        return Ok(options);
    };
    let list = |name, known: &[&str]| {
        let given = matches.get_many::<String>(name);
        let given: Vec<String> = given.into_iter().flatten().cloned().collect();
        match given
            .iter()
            .find(|name| !known.is_empty() && !known.contains(&name.as_str()))
        {
            Some(name) => Err(format!("`{name}` is none of {}", known.join(", "))),
            None => Ok(given),
        }
    };
    options.peers = list("peers", suite.peers)?;
    options.cases = list("case", suite.cases)?;
    let given = |(name, _): &&(&'static str, &str)| matches.get_flag(name);
    options.switches = suite.switches.iter().filter(given).map(|s| s.0).collect();
    Ok(options)
}

/// The options, with what they ask of the process done.
fn prepared(options: Options) -> Result<Options, String> {
    if options.priority {
        process::before_all_others()?;
    }
    Ok(options)
}

fn serve(words: &[String]) -> Result<(), String> {
    let (suite, arguments) = words.split_first().ok_or("serve what?")?;
    (suites::named(suite)?.serve)(arguments)
}

/// `<passes> hot <suite> <name>`, or `<passes> <suite> <arguments>`.
fn probe(words: &[String]) -> Result<(), String> {
    let [passes, suite, arguments @ ..] = words else {
        return Err("probe what?".into());
    };
    let passes = passes
        .parse()
        .map_err(|_| format!("`{passes}` is no number of passes"))?;
    if suite != "hot" {
        return (suites::named(suite)?.probe)(arguments, passes);
    }
    let [suite, name] = arguments else {
        return Err("a hot path is named by its suite and its name".into());
    };
    let paths = (suites::named(suite)?.hot_paths)()?;
    let path = paths.iter().find(|path| path.name == *name);
    let path = path.ok_or_else(|| format!("`{suite}` has no hot path `{name}`"))?;
    path.exercise(passes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn suites_have_names_of_their_own_and_so_have_their_hot_paths() {
        let mut names: Vec<_> = suites::ALL.iter().map(|suite| suite.name).collect();
        names.extend([
            "all", "load", "gate", "baseline", "compare", "tables", "serve", "probe",
        ]);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for suite in suites::ALL {
            let paths = (suite.hot_paths)().unwrap();
            let mut names: Vec<_> = paths.iter().map(|path| path.name.clone()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), paths.len(), "{}", suite.name);
        }
    }

    /// Cheap, and it finds a hot path that panics before the gate does.
    #[test]
    fn every_hot_path_can_be_walked() {
        for suite in suites::ALL {
            for path in (suite.hot_paths)().unwrap() {
                path.exercise(1);
            }
        }
    }

    #[test]
    fn options_are_checked_against_what_the_suite_knows() {
        let parse = |line: &str| {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            let (name, matches) = matches.subcommand().unwrap();
            options(matches, suites::named(name).ok())
        };
        let options =
            parse("benches router --quick --peers a,b --set github --cachegrind").unwrap();
        assert!(options.quick && !options.save && options.has("cachegrind"));
        assert!(options.wants_peer("b") && !options.wants_peer("c"));
        assert!(options.wants_case("github") && !options.wants_case("matchit"));
        assert!(
            command()
                .try_get_matches_from(["benches", "axum", "--cachegrind"])
                .is_err()
        );
    }
}
