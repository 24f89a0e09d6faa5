//! Exact counts by valgrind's cachegrind: this binary, run again under it as a probe.
//!
//! A probe builds its subject and does a number of passes over its work. Two
//! probes that differ only in the passes are run, and the difference of their
//! totals is divided by the work that lies between: start-up, building and the
//! first, cold pass cancel out.
//!
//! The simulated machine is fixed (32 KiB 8-way first-level caches, 8 MiB
//! 16-way last level, 64-byte lines), so that figures of different machines
//! compare. The predictor is valgrind's simple one, not any real CPU's.

use std::{
    env, io,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use serde::{Deserialize, Serialize};

/// Which simulations to pay for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Instructions only: several times faster.
    Instructions,
    /// Instructions, data references, first-level misses, mispredicted branches.
    Caches,
}

/// Counts per unit of work.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) data_refs: f64,
    pub(crate) d1_misses: f64,
    pub(crate) mispredicts: f64,
}

impl Counts {
    /// First-level data misses as a share of the data references, in percent.
    pub(crate) fn d1_miss_rate(&self) -> f64 {
        100.0 * self.d1_misses / self.data_refs
    }
}

/// One probe: the hidden `probe` command's arguments but the passes, and the work of one pass.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) args: Vec<String>,
    pub(crate) units_per_pass: usize,
    pub(crate) passes: (usize, usize),
}

/// Runs the probes, several at once (counts do not depend on the load), and returns their counts in order.
pub(crate) fn run_all(probes: &[Probe], depth: Depth) -> Result<Vec<Counts>, String> {
    check_installed()?;
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let next = Mutex::new(0..probes.len());
    let done = Mutex::new(vec![None; probes.len()]);
    thread::scope(|scope| {
        for _ in 0..jobs.min(probes.len()) {
            scope.spawn(|| {
                // A call of its own, so that the lock is not held while the probe runs.
                let take = || next.lock().ok().and_then(|mut range| range.next());
                while let Some(index) = take() {
                    let counts = run(&probes[index], depth);
                    if let Ok(mut done) = done.lock() {
                        done[index] = Some(counts);
                    }
                }
            });
        }
    });
    let done = done
        .into_inner()
        .map_err(|_| "a probe's thread panicked".to_owned())?;
    done.into_iter()
        .map(|counts| counts.unwrap_or_else(|| Err("a probe was not run".into())))
        .collect()
}

fn check_installed() -> Result<(), String> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(
            "valgrind was not found, and instruction counts come from it: install it \
             (Debian, Ubuntu: `apt-get install valgrind`; Fedora: `dnf install valgrind`; \
             Arch: `pacman -S valgrind`)"
                .into(),
        ),
        Err(error) => Err(format!("valgrind does not start: {error}")),
    }
}

fn run(probe: &Probe, depth: Depth) -> Result<Counts, String> {
    let (few, many) = probe.passes;
    let low = totals(probe, few, depth)?;
    let high = totals(probe, many, depth)?;
    let units = ((many - few) * probe.units_per_pass) as f64;
    let per_unit = |pick: fn(&Totals) -> u64| (pick(&high) as f64 - pick(&low) as f64) / units;
    Ok(Counts {
        instructions: per_unit(|t| t.instructions),
        data_refs: per_unit(|t| t.data_refs),
        d1_misses: per_unit(|t| t.d1_misses),
        mispredicts: per_unit(|t| t.mispredicts),
    })
}

#[derive(Debug, Clone, Copy)]
struct Totals {
    instructions: u64,
    data_refs: u64,
    d1_misses: u64,
    mispredicts: u64,
}

fn totals(probe: &Probe, passes: usize, depth: Depth) -> Result<Totals, String> {
    let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
    let simulate = if depth == Depth::Caches { "yes" } else { "no" };
    let out = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cachegrind-out-file=/dev/null"])
        .arg(format!("--cache-sim={simulate}"))
        .arg(format!("--branch-sim={simulate}"))
        .args(["--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"])
        .arg(exe)
        .arg("probe")
        .args(&probe.args)
        .arg(passes.to_string())
        // Names of the environment move the stack; a fixed one keeps runs alike.
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("valgrind does not start: {e}"))?;
    let log = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        let probe = probe.args.join(" ");
        return Err(format!("the probe `{probe}` failed under valgrind:\n{log}"));
    }
    let optional = |label: &str| match depth {
        Depth::Caches => summary(&log, label),
        Depth::Instructions => Ok(0),
    };
    Ok(Totals {
        instructions: summary(&log, "I   refs:").or_else(|_| summary(&log, "I refs:"))?,
        data_refs: optional("D   refs:")?,
        d1_misses: optional("D1  misses:")?,
        mispredicts: optional("Mispredicts:")?,
    })
}

/// The first number after `label` in cachegrind's summary, whose spacing differs between versions.
fn summary(log: &str, label: &str) -> Result<u64, String> {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let label = squeeze(label);
    log.lines()
        .find_map(|line| {
            let line = squeeze(line.split_once("== ")?.1);
            let rest = line.strip_prefix(&label)?.trim();
            let number = rest.split(' ').next()?.replace(',', "");
            number.parse().ok()
        })
        .ok_or_else(|| format!("cachegrind's summary has no line `{label}`:\n{log}"))
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn reads_the_summary_of_old_and_new_versions() {
        let old = "==7== I   refs:      1,234,567\n==7== D   refs:  89  (60 rd + 29 wr)\n==7== D1  misses: 5 (3 rd + 2 wr)\n==7== Mispredicts: 1,024 (1 cond + 2 ind)\n";
        let new = "==7== I refs:        1,234,567\n";
        let cases = [
            (old, "I refs:", 1_234_567),
            (new, "I refs:", 1_234_567),
            (old, "D   refs:", 89),
            (old, "D1  misses:", 5),
            (old, "Mispredicts:", 1024),
        ];
        for (log, label, want) in cases {
            assert_eq!(summary(log, label), Ok(want), "{label} in {log}");
        }
        assert!(summary(new, "D refs:").is_err());
    }
}
