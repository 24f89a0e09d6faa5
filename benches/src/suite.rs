//! What a suite is: one file in `src/suites/` and one line in [`suites::ALL`](crate::suites::ALL).
//!
//! A suite says what it is called, how it measures ([`run`](Suite::run)), which of its code paths the gate holds
//! ([`hot_paths`](Suite::hot_paths)), and how to be a server in a process of its own ([`serve`](Suite::serve)).
//! Everything else (the command line, counting, results, the gate) is the driver's.

use std::fmt;

use crate::hot::HotPath;

/// A suite of measurements.
#[derive(Clone, Copy)]
pub struct Suite {
    /// Its name on the command line and of its files in `results/`.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// What `--peers` may name; empty where the suite checks the names itself.
    pub peers: &'static [&'static str],
    /// What `--case` may name; empty where the suite checks the names itself.
    pub cases: &'static [&'static str],
    /// Switches of its own, with their help: `("cachegrind", "Counts instead of times")`.
    pub switches: &'static [(&'static str, &'static str)],
    /// Measures, prints, and saves where that is asked for.
    pub run: fn(&Options) -> Result<(), String>,
    /// What the gate holds. Instructions and allocations of each are counted by the driver.
    pub hot_paths: fn() -> Result<Vec<HotPath>, String>,
    /// Serves until the process ends, having called [`announce`](crate::process::announce). The arguments are those
    /// given to [`Server::ours`](crate::process::Server::ours).
    pub serve: fn(&[String]) -> Result<(), String>,
    /// Work under valgrind that is not a hot path: the arguments of a [`Probe`](crate::cachegrind::Probe) and the passes.
    pub probe: fn(&[String], usize) -> Result<(), String>,
}

impl Suite {
    /// A suite that only runs; the rest is added by the methods below.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        run: fn(&Options) -> Result<(), String>,
    ) -> Self {
        Self {
            name,
            about,
            peers: &[],
            cases: &[],
            switches: &[],
            run,
            hot_paths: || Ok(Vec::new()),
            serve: |_| Err("this suite has no server".into()),
            probe: |_, _| Err("this suite has no probe".into()),
        }
    }

    /// With the names that `--peers` may choose among.
    pub const fn peers(mut self, peers: &'static [&'static str]) -> Self {
        self.peers = peers;
        self
    }

    /// With the names that `--case` may choose among.
    pub const fn cases(mut self, cases: &'static [&'static str]) -> Self {
        self.cases = cases;
        self
    }

    /// With switches of its own.
    pub const fn switches(mut self, switches: &'static [(&'static str, &'static str)]) -> Self {
        self.switches = switches;
        self
    }

    /// With hot paths for the gate.
    pub const fn hot_paths(mut self, hot_paths: fn() -> Result<Vec<HotPath>, String>) -> Self {
        self.hot_paths = hot_paths;
        self
    }

    /// With servers in processes of their own.
    pub const fn serve(mut self, serve: fn(&[String]) -> Result<(), String>) -> Self {
        self.serve = serve;
        self
    }

    /// With probes of its own.
    pub const fn probe(mut self, probe: fn(&[String], usize) -> Result<(), String>) -> Self {
        self.probe = probe;
        self
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Suite").field(&self.name).finish()
    }
}

/// What the command line asks of a suite.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A trial: fewer rounds and smaller cases. Every suite together stays under ten minutes.
    pub quick: bool,
    /// Write the result to `benches/results/`.
    pub save: bool,
    /// The driver, and all it starts, runs before all other processes.
    pub priority: bool,
    /// Peers asked for; none means all.
    pub peers: Vec<String>,
    /// Cases asked for; none means all.
    pub cases: Vec<String>,
    /// Switches that were given.
    pub switches: Vec<&'static str>,
}

impl Options {
    /// Whether this peer is to be measured. Ours and the reference of the ratios should not ask.
    pub fn wants_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|peer| peer == name)
    }

    /// Whether this case is to be measured.
    pub fn wants_case(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|case| case == name)
    }

    /// Whether this switch of the suite was given.
    pub fn has(&self, switch: &str) -> bool {
        self.switches.contains(&switch)
    }

    /// `quick` on a trial, else `full`: `options.pick(3, 15)` rounds.
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}
