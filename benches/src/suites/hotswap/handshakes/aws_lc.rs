//! The same handshakes by aws-lc-rs, in the program `benches/aws-lc`: a package of its own, since a minute of C is not for
//! everybody who builds the benches.

use std::{path::Path, process::Command};

use super::measure::{Identity, Measured};
use crate::{compile, suite::Options};

/// Compiles the program and lets it measure. Fails where that C code does not compile.
pub(super) fn measure(
    identities: &[Identity],
    rounds: usize,
    options: &Options,
) -> Result<Vec<Measured>, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws-lc");
    let target = package.join("../../target/aws-lc");
    compile::build("aws-lc-rs", &target, options, |cargo| {
        cargo
            .args(["--release", "--manifest-path"])
            .arg(package.join("Cargo.toml"));
    })
    .map_err(|why| format!("{why}; its C code needs a C compiler"))?;
    let mut program = Command::new(target.join("release/bench-aws-lc"));
    program.arg(rounds.to_string());
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

/// A name and three lists of times, between tabs.
fn parse(line: &str) -> Option<Measured> {
    let mut words = line.split('\t');
    let name = words.next()?.to_owned();
    let list = |word: &str| -> Option<Vec<f64>> {
        let samples = word.split(' ').map(str::parse);
        samples.collect::<Result<_, _>>().ok()
    };
    let lists: Vec<Vec<f64>> = words.map(list).collect::<Option<_>>()?;
    let samples = lists.try_into().ok()?;
    Some(Measured { name, samples })
}
