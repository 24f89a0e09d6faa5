//! The gate and its relatives as programs: they fail where they cannot know.

use std::process::{Command, Output};

fn benches(arguments: &[&str], path: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benches"));
    command.args(arguments);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

fn said(out: &Output) -> String {
    [out.stdout.as_slice(), out.stderr.as_slice()]
        .concat()
        .iter()
        .map(|&byte| byte as char)
        .collect()
}

#[test]
fn without_valgrind_the_gate_is_no_gate_and_says_so() {
    for command in [
        ["gate", "--suite", "router"],
        ["baseline", "--suite", "router"],
    ] {
        let out = benches(&command, Some("/nonexistent"));
        assert!(!out.status.success(), "{command:?}: {}", said(&out));
        assert!(
            said(&out).contains("valgrind was not found"),
            "{}",
            said(&out)
        );
    }
}

#[test]
fn a_suite_that_is_not_there_is_refused() {
    let out = benches(&["gate", "--suite", "roter"], None);
    assert!(!out.status.success(), "{}", said(&out));
    assert!(
        said(&out).contains("no suite is called `roter`"),
        "{}",
        said(&out)
    );
}

#[test]
fn a_baseline_beside_itself_has_not_changed() {
    let out = benches(
        &[
            "compare",
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_VERSION"),
        ],
        None,
    );
    assert!(out.status.success(), "{}", said(&out));
    assert!(said(&out).contains("nothing changed"), "{}", said(&out));
}
