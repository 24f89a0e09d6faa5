//! Exact counts by valgrind's cachegrind: this binary, run again under it as a probe.
//!
//! A probe builds its subject and does a number of passes over its work. Two
//! probes that differ only in the passes are run, and the difference of their
//! totals is divided by the work that lies between: start-up, building and the
//! first, cold pass cancel out.
//!
//! Instructions are also told by function, so that a count that grew can be traced to where it grew. A function is a
//! symbol of the binary: what the compiler inlined belongs to the one around it.
//!
//! The simulated machine is fixed (32 KiB 8-way first-level caches, 8 MiB
//! 16-way last level, 64-byte lines), so that figures of different machines
//! compare. The predictor is valgrind's simple one, not any real CPU's.

use std::{
    collections::BTreeMap,
    env, fs, io,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use serde::{Deserialize, Serialize};

use crate::progress::Progress;

/// Which simulations to pay for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Instructions only: several times faster.
    Instructions,
    /// Instructions, data references, first-level misses, mispredicted branches.
    Caches,
}

/// Counts per unit of work.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Instructions executed.
    pub instructions: f64,
    /// Loads and stores.
    pub data_refs: f64,
    /// Of these, missed in the first-level cache.
    pub d1_misses: f64,
    /// Branches predicted wrongly.
    pub mispredicts: f64,
}

/// Instructions a unit of work, in all and by function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// In all.
    pub instructions: f64,
    /// By function, without those of less than a thousandth of all.
    pub functions: BTreeMap<String, f64>,
}

impl Counts {
    /// First-level data misses as a share of the data references, in percent.
    pub fn d1_miss_rate(&self) -> f64 {
        100.0 * self.d1_misses / self.data_refs
    }
}

/// One probe: the hidden `probe` command's arguments but the passes, and the work of one pass.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The suite and what its probe is told.
    pub args: Vec<String>,
    /// What the counts are divided by, for one pass.
    pub units_per_pass: usize,
    /// The passes of the two runs.
    pub passes: (usize, usize),
}

/// Runs the probes, several at once (counts do not depend on the load), and returns their counts in order.
pub fn run_all(probes: &[Probe], depth: Depth) -> Result<Vec<Counts>, String> {
    in_parallel(probes, |probe| run(probe, depth))
}

/// Runs the probes, several at once, and returns their instructions by function in order.
pub fn profile_all(probes: &[Probe]) -> Result<Vec<Profile>, String> {
    in_parallel(probes, profile)
}

fn in_parallel<R: Send>(
    probes: &[Probe],
    work: impl Fn(&Probe) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    check_installed()?;
    let progress = Progress::new("under valgrind", probes.len());
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let next = Mutex::new(0..probes.len());
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..jobs.min(probes.len()) {
            scope.spawn(|| {
                // A call of its own, so that the lock is not held while the probe runs.
                let take = || next.lock().ok().and_then(|mut range| range.next());
                while let Some(index) = take() {
                    progress.step(&probes[index].args.join(" "));
                    let result = work(&probes[index]);
                    if let Ok(mut done) = done.lock() {
                        done.insert(index, result);
                    }
                }
            });
        }
    });
    let done = done
        .into_inner()
        .map_err(|_| "a probe's thread panicked".to_owned())?;
    if done.len() < probes.len() {
        return Err("a probe was not run".into());
    }
    done.into_values().collect()
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
    let log = valgrind(probe, passes, depth, "/dev/null")?;
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

/// Runs this binary's `probe` under cachegrind and returns what that says.
fn valgrind(probe: &Probe, passes: usize, depth: Depth, out_file: &str) -> Result<String, String> {
    let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
    let simulate = if depth == Depth::Caches { "yes" } else { "no" };
    let out = Command::new("valgrind")
        .arg("--tool=cachegrind")
        .arg(format!("--cachegrind-out-file={out_file}"))
        .arg(format!("--cache-sim={simulate}"))
        .arg(format!("--branch-sim={simulate}"))
        .args(["--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"])
        .arg(exe)
        .arg("probe")
        .arg(passes.to_string())
        .args(&probe.args)
        // Names of the environment move the stack; a fixed one keeps runs alike.
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("valgrind does not start: {e}"))?;
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    if out.status.success() {
        Ok(log)
    } else {
        let probe = probe.args.join(" ");
        Err(format!("the probe `{probe}` failed under valgrind:\n{log}"))
    }
}

fn profile(probe: &Probe) -> Result<Profile, String> {
    let (few, many) = probe.passes;
    let low = by_function(probe, few)?;
    let mut functions = by_function(probe, many)?;
    for (name, count) in low {
        *functions.entry(name).or_default() -= count;
    }
    let units = ((many - few) * probe.units_per_pass) as f64;
    let instructions = functions.values().sum::<i64>() as f64 / units;
    let per_unit = |(name, count): (String, i64)| (name, count as f64 / units);
    Ok(Profile {
        instructions,
        functions: functions
            .into_iter()
            .map(per_unit)
            .filter(|(_, count)| count.abs() >= instructions / 1_000.0)
            .collect(),
    })
}

/// Instructions by function of one run.
fn by_function(probe: &Probe, passes: usize) -> Result<BTreeMap<String, i64>, String> {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Relaxed);
    let file = env::temp_dir().join(format!("benches-{}-{run}.cachegrind", std::process::id()));
    let path = file.to_string_lossy().into_owned();
    let ran = valgrind(probe, passes, Depth::Instructions, &path);
    let text = fs::read_to_string(&file);
    let _ = fs::remove_file(&file);
    ran?;
    Ok(functions(&text.map_err(|e| format!("{path}: {e}"))?))
}

/// Sums a cachegrind file by function: a line `fn=<name>` precedes its lines `<line> <instructions>`.
fn functions(text: &str) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::<String, i64>::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            current = without_hash(name).to_owned();
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            let count = line
                .split_whitespace()
                .nth(1)
                .and_then(|n| n.parse::<i64>().ok());
            *sums.entry(current.clone()).or_default() += count.unwrap_or(0);
        }
    }
    sums
}

/// A function's name without the hash that every build makes anew.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path
        }
        _ => name,
    }
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
    use super::*;

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

    #[test]
    fn sums_a_file_by_function() {
        let file = "desc: x\ncmd: y\nevents: Ir\nfl=a.rs\nfn=a::f::h0123456789abcdef\n12 30\n13 4\nfl=b.rs\nfn=g\n0 5\nfl=c.rs\nfn=a::f::h0123456789abcdef\n9 1\nsummary: 40\n";
        let sums = functions(file);
        assert_eq!(sums.len(), 2);
        assert_eq!((sums["a::f"], sums["g"]), (35, 5));
    }
}
