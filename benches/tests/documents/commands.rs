//! Every command that a document quotes can be typed: package, target, features, suite, options and script exist.

use std::{env, fs, path::Path, process::Command};

use benches::{parses, tables::workspace};
use serde_json::Value;

use crate::text::{Document, documents};

/// Options of cargo's that stand alone.
const FLAGS: &[&str] = &[
    "--all",
    "--all-features",
    "--all-targets",
    "--check",
    "--lib",
    "--locked",
    "--no-default-features",
    "--no-deps",
    "--release",
    "--workspace",
    "-q",
];
/// Options of the test harness.
const HARNESS: &[&str] = &["--nocapture", "--ignored", "--include-ignored"];

#[test]
fn every_quoted_command_exists() {
    let packages = Packages::read();
    let mut faults = Vec::new();
    let mut count = 0;
    for document in documents() {
        for section in document.sections() {
            for (line, words) in section.commands() {
                count += 1;
                if let Err(fault) = check(&words, &document, &packages) {
                    faults.push(format!(
                        "{}:{line}: `{}`: {fault}",
                        document.name,
                        words.join(" ")
                    ));
                }
            }
        }
    }
    assert!(count >= 40, "only {count} commands were found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn check(words: &[String], document: &Document, packages: &Packages) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["cargo", ref words @ ..] => cargo(words, packages),
        [program, ref arguments @ ..] => match program.strip_prefix("target/release/") {
            Some(program) => {
                packages.program(program)?;
                arguments_of(program, arguments)
            }
            None => script(program, document),
        },
        [] => Err("is empty".into()),
    }
}

fn cargo(words: &[&str], packages: &Packages) -> Result<(), String> {
    let words = match words {
        [toolchain, rest @ ..] if toolchain.starts_with('+') => rest,
        words => words,
    };
    let end = words
        .iter()
        .position(|word| *word == "--")
        .unwrap_or(words.len());
    let (own, passed) = (&words[..end], words.get(end + 1..).unwrap_or_default());
    let (subcommand, own) = own.split_first().ok_or("cargo does what?")?;
    match *subcommand {
        "fuzz" => return fuzz(own),
        "run" | "test" | "bench" | "build" | "check" | "clippy" | "doc" | "fmt" | "tree"
        | "deny" => {}
        _ => return Err(format!("cargo has no `{subcommand}` that this test knows")),
    }
    let mut package = None;
    let mut rest = own.iter().copied();
    let mut settings = Vec::new();
    while let Some(word) = rest.next() {
        match word {
            "-p" | "--package" => {
                package = Some(packages.named(rest.next().ok_or("which package?")?)?)
            }
            "--features" | "--test" | "--bench" | "--bin" | "--example" | "--profile" => {
                settings.push((word, rest.next().ok_or("which one?")?));
            }
            _ if FLAGS.contains(&word) => {}
            filter if *subcommand == "test" && !filter.starts_with('-') => {
                settings.push(("a filter", filter))
            }
            _ => return Err(format!("`{word}` is no option that this test knows")),
        }
    }
    for (what, name) in settings {
        match what {
            "--profile" => {
                let manifest = fs::read_to_string(workspace().join("Cargo.toml"))
                    .map_err(|e| e.to_string())?;
                if !manifest.contains(&format!("[profile.{name}]")) {
                    return Err(format!("there is no profile `{name}`"));
                }
            }
            _ => packages.has(package.ok_or("of which package?")?, what, name)?,
        }
    }
    let name = package.map(|package| package["name"].as_str().unwrap_or_default());
    match (*subcommand, name) {
        ("run", Some(name)) => {
            packages.program(name)?;
            arguments_of(name, passed)
        }
        ("run", None) => Err("runs which package?".into()),
        ("test", _) => match passed.iter().find(|word| !HARNESS.contains(word)) {
            Some(word) => Err(format!(
                "`{word}` is no option of the harness that this test knows"
            )),
            None => Ok(()),
        },
        // A filter of divan's, or of a harness of its own.
        ("bench", _) if passed.iter().all(|word| !word.starts_with('-')) => Ok(()),
        _ if passed.is_empty() || *subcommand == "clippy" => Ok(()),
        _ => Err("passes something on that nothing takes".into()),
    }
}

/// The crates have their fuzz targets in packages of their own.
fn fuzz(words: &[&str]) -> Result<(), String> {
    let &["run", target, ..] = words else {
        return Err("cargo fuzz does what?".into());
    };
    let entries = fs::read_dir(workspace()).map_err(|e| e.to_string())?;
    let file = format!("fuzz/fuzz_targets/{target}.rs");
    match entries
        .flatten()
        .any(|entry| entry.path().join(&file).exists())
    {
        true => Ok(()),
        false => Err(format!("no crate has the fuzz target `{target}`")),
    }
}

/// What comes behind the name of a program of ours.
fn arguments_of(program: &str, arguments: &[&str]) -> Result<(), String> {
    match program {
        "benches" => driver(arguments),
        "server" => server(arguments),
        _ if arguments.is_empty() => Ok(()),
        _ => Err(format!("`{program}` takes no arguments")),
    }
}

/// The driver's own command line judges; where a document has a placeholder, a value that fits stands in.
fn driver(arguments: &[&str]) -> Result<(), String> {
    let line = arguments.join("\0");
    let filled = line
        .replace(['[', ']'], "")
        .replace("<suite>", "router")
        .replace("--peers\0…", "--peers\0ours")
        .replace("--case\0…", "--case\0matchit");
    let word = |word| match word {
        "$(pidof server)" => "1",
        word => word,
    };
    let words: Vec<&str> = filled.split('\0').map(word).collect();
    parses(&words)
}

/// Every option is one of its settings or of its command line.
fn server(arguments: &[&str]) -> Result<(), String> {
    let known = sources(&workspace().join("examples/server/src/config"));
    let options = arguments.iter().filter_map(|word| word.strip_prefix("--"));
    for option in options {
        let name = option.split('=').next().unwrap_or(option);
        if name == "help" {
            continue;
        }
        if !known.contains(&format!("\"{name}\"")) && !known.contains(&format!("\"--{name}\"")) {
            return Err(format!("the server has no option --{name}"));
        }
    }
    Ok(())
}

fn script(program: &str, document: &Document) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let beside = document.path.parent().unwrap_or(Path::new("."));
    let found = [workspace(), beside.to_owned()]
        .into_iter()
        .map(|dir| dir.join(program))
        .find(|path| path.is_file());
    let path = found.ok_or("there is no such script")?;
    let mode = fs::metadata(&path)
        .map_err(|e| e.to_string())?
        .permissions()
        .mode();
    if mode & 0o111 == 0 && !program.ends_with(".py") {
        return Err("cannot be executed".into());
    }
    Ok(())
}

/// The workspace's packages, as cargo tells them.
struct Packages(Vec<Value>);

impl Packages {
    fn read() -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let out = Command::new(cargo)
            .args([
                "metadata",
                "--locked",
                "--offline",
                "--no-deps",
                "--format-version",
                "1",
            ])
            .current_dir(workspace())
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let mut metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
        let packages = metadata["packages"].take();
        Self(serde_json::from_value(packages).unwrap())
    }

    fn named(&self, name: &str) -> Result<&Value, String> {
        let found = self.0.iter().find(|package| package["name"] == name);
        found.ok_or_else(|| format!("there is no package `{name}`"))
    }

    /// That a package has a program of its own name.
    fn program(&self, name: &str) -> Result<(), String> {
        self.has(self.named(name)?, "--bin", name)
    }

    fn has(&self, package: &Value, what: &str, names: &str) -> Result<(), String> {
        for name in names.split(',') {
            let known = match what {
                "--features" => package["features"].get(name).is_some(),
                "a filter" => mentions(package, name),
                _ => targets(package).any(|target| {
                    target["name"] == name && target["kind"][0] == what.trim_start_matches('-')
                }),
            };
            if !known {
                return Err(format!("{} has no {what} {name}", package["name"]));
            }
        }
        Ok(())
    }
}

fn targets(package: &Value) -> impl Iterator<Item = &Value> {
    package["targets"].as_array().into_iter().flatten()
}

/// Whether a filter of tests can match one: a filter that matches nothing passes.
fn mentions(package: &Value, filter: &str) -> bool {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    ["src", "tests"].iter().any(|folder| {
        let text = sources(&manifest.with_file_name(folder));
        text.contains(&format!("mod {filter}")) || text.contains(&format!("fn {filter}"))
    })
}

/// All files below a folder as one text; nothing where there is no folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text += &sources(&path);
        } else {
            text += &fs::read_to_string(&path).unwrap_or_default();
        }
    }
    text
}

#[test]
fn commands_that_do_not_exist_are_found() {
    let packages = Packages::read();
    let document = documents().remove(0);
    let cases = [
        ("cargo run --release -p benches -- router --quick", None),
        (
            "cargo run --release -p benches -- routr --quick",
            Some("unrecognized subcommand"),
        ),
        (
            "cargo run --release -p benches -- router --qick",
            Some("unexpected argument"),
        ),
        (
            "cargo run --release -p benches -- zerocopy --peers nobody",
            Some("nobody"),
        ),
        (
            "cargo run --release -p benches -- <suite> [--peers …] [--save]",
            None,
        ),
        (
            "cargo run --release -p benches -- <suite> [--sve]",
            Some("unexpected argument"),
        ),
        (
            "cargo test -p tower-pool --all-features --test allocations -- --nocapture",
            None,
        ),
        (
            "cargo test -p tower-pool --test alocations",
            Some("has no --test alocations"),
        ),
        ("cargo test -p tower-pol", Some("no package")),
        (
            "cargo test -p tower-pool --features axum,metrix",
            Some("has no --features metrix"),
        ),
        (
            "cargo test -p tower-pool --lib nothing_of_that_name",
            Some("has no a filter"),
        ),
        (
            "cargo run --release -p server -- --listen 127.0.0.1:0",
            None,
        ),
        (
            "cargo run --release -p server -- --liston 127.0.0.1:0",
            Some("no option --liston"),
        ),
        ("cargo run -p tower-pool", Some("has no --bin")),
        ("cargo build --profile fast -p server", Some("no profile")),
        ("cargo +nightly fuzz run range", None),
        ("cargo +nightly fuzz run nothing", Some("no crate has")),
        ("cargo sing", Some("cargo has no `sing`")),
        (".ci/run", None),
        (".ci/walk", Some("no such script")),
    ];
    for (line, want) in cases {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match (check(&words, &document, &packages), want) {
            (Ok(()), None) => {}
            (Err(fault), Some(want)) => assert!(fault.contains(want), "{line}: {fault}"),
            (got, want) => panic!("{line}: {got:?} instead of {want:?}"),
        }
    }
}
