//! The same handshakes by aws-lc-rs, in the program `benches/aws-lc`: a package of its own, since a minute of C is not for
//! everybody who builds the benches.

use std::{path::Path, process::Command};

use super::measure::{Identity, Measured};
use crate::{process::in_turn, suite::Options};

/// Compiles the program and lets it measure. Fails where that C code does not compile.
pub(super) fn measure(
    identities: &[Identity],
    count: usize,
    options: &Options,
) -> Result<Vec<Measured>, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws-lc");
    let target = package.join("../../target/aws-lc");
    println!("compiling aws-lc-rs; the first time this takes minutes");
    let mut cargo = if options.priority {
        in_turn("cargo")
    } else {
        Command::new("cargo")
    };
    let compiled = cargo
        .args(["build", "--locked", "--quiet", "--release"])
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if !compiled.success() {
        return Err("its C code needs a C compiler and does not compile here".into());
    }
    let mut program = Command::new(target.join("release/bench-aws-lc"));
    program.arg(count.to_string());
    for identity in identities {
        program.args([&identity.key_kind, &identity.chain, &identity.key]);
    }
    let ran = program
        .output()
        .map_err(|e| format!("its program does not start: {e}"))?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned());
    }
    let output = String::from_utf8_lossy(&ran.stdout);
    let lines = output
        .lines()
        .map(|line| parse(line).ok_or_else(|| format!("its program said something else: {line}")));
    lines.collect()
}

/// A name and three times, between tabs.
fn parse(line: &str) -> Option<Measured> {
    let mut words = line.split('\t');
    let name = words.next()?.to_owned();
    let micros: Vec<f64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    let micros = micros.try_into().ok()?;
    Some(Measured { name, micros })
}
