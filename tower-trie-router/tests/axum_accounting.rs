//! Counts `docs/differences.md` against the tests that exist: each of axum's is listed once, with
//! what became of it, and is there under its name.

use std::{collections::HashSet, fs, path::Path};

/// How many functions axum's 195 tests are: one of them stands in a macro that is used six times.
const FUNCTIONS: usize = 200;
/// How many of them the document says differ.
const DIFFERENT: usize = 34;

/// Whether `source` has a test of this name, by itself, in a module or in a table of a macro.
fn has_test(source: &str, name: &str) -> bool {
    let (module, name) = name.split_once("::").unwrap_or(("", name));
    let source = match module {
        "" => source,
        module => match source.split_once(&format!("mod {module} {{")) {
            Some((_, inside)) => inside,
            None => return false,
        },
    };
    let as_function = |attribute: &str, function: &str| {
        source
            .match_indices(&format!("{function} {name}()"))
            .any(|(at, _)| source[..at].trim_end().ends_with(attribute))
    };
    as_function("#[tokio::test]", "async fn")
        || as_function("#[test]", "fn")
        || source.contains(&format!("\n    {name}: "))
}

#[test]
fn every_test_of_axums_is_accounted_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/differences.md")).unwrap();
    let (_, section) = document.split_once("\n## axum 0.8.9\n").unwrap();

    let mut seen = HashSet::new();
    let mut different = 0;
    let (mut file, mut source) = (String::new(), String::new());
    for line in section.lines() {
        if let Some(path) = line.strip_prefix("Here: `") {
            file = path.trim_end_matches('`').to_owned();
            source = fs::read_to_string(root.join(&file)).unwrap();
        }
        // The rows of the tables of tests; those before the first file are prose.
        let Some((name, rest)) = line
            .strip_prefix("| `")
            .filter(|_| !file.is_empty())
            .and_then(|row| row.split_once("` | "))
        else {
            continue;
        };
        assert!(has_test(&source, name), "{file} has no test `{name}`");
        assert!(seen.insert((file.clone(), name.to_owned())), "{name} twice");
        let status = rest.trim_end_matches(" |");
        match status.strip_prefix("different: ") {
            Some(reason) => {
                assert!(!reason.is_empty(), "{name} without a reason");
                different += 1;
            }
            None => assert_eq!(status, "same", "{name}"),
        }
    }
    assert_eq!(seen.len(), FUNCTIONS);
    assert_eq!(different, DIFFERENT);
}
