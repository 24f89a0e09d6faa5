//! Hot paths: work that the gate holds to its instruction and allocation counts.
//!
//! A hot path is a closure that builds its subject and hands back one pass over it. The driver counts the rest:
//! instructions and their functions by cachegrind in a process of its own, allocations by the counting allocator on
//! this thread, in the pass that makes fewest, after two that warm pools and caches.

use std::{fmt, hint::black_box};

use crate::{
    alloc,
    cachegrind::{Probe, Profile},
};

/// Passes whose allocations are counted: enough that one of them makes the fewest there are, though hash tables with seeds of their
/// own grow when chance has it.
const COUNTED: usize = 50;

/// One pass over a built subject.
pub type Pass = Box<dyn FnMut()>;

/// Work whose cost may not grow unnoticed.
pub struct HotPath {
    /// What is done, as the gate names it: unique in its suite, and the key in the baseline.
    pub name: String,
    /// Builds the subject; the pass that comes back does the work `units` times.
    pub build: Box<dyn Fn() -> Pass>,
    /// How often one pass does the work.
    pub units: usize,
    /// Passes of the two runs whose difference is counted. Counts of more work between them vary less.
    pub passes: (usize, usize),
    /// When the heap that the built subject keeps is held too: what it is divided by, such as a number of routes.
    pub keeps: Option<usize>,
}

impl HotPath {
    /// Work that `pass` does `units` times.
    pub fn new(name: impl Into<String>, units: usize, build: impl Fn() -> Pass + 'static) -> Self {
        Self {
            name: name.into(),
            build: Box::new(build),
            units,
            passes: (2, 12),
            keeps: None,
        }
    }

    /// With other numbers of passes than 2 and 12: of a short pass more, of a long one fewer.
    pub fn passes(mut self, few: usize, many: usize) -> Self {
        self.passes = (few, many);
        self
    }

    /// Holds the heap bytes that the subject keeps, divided by `by`.
    pub fn keeps(mut self, by: usize) -> Self {
        self.keeps = Some(by);
        self
    }

    /// What valgrind runs for the path of a suite.
    pub fn probe(&self, suite: &str) -> Probe {
        Probe {
            args: vec!["hot".into(), suite.into(), self.name.clone()],
            units_per_pass: self.units,
            passes: self.passes,
        }
    }

    /// Builds and does `passes` passes.
    pub fn exercise(&self, passes: usize) {
        let mut pass = (self.build)();
        for _ in 0..passes {
            pass();
        }
        black_box(&pass);
    }

    /// Allocations a unit of work, and heap bytes kept where that is held.
    pub fn memory(&self) -> (f64, Option<f64>) {
        let (mut pass, bytes) = alloc::retained(|| (self.build)());
        pass();
        pass();
        // A table with a random hasher grows in one pass or in another. What each unit allocates, every pass does.
        let passes = (0..COUNTED).map(|_| alloc::count(&mut pass).1);
        let calls = passes.min().unwrap_or_default();
        let kept = self.keeps.map(|by| bytes as f64 / by as f64);
        (calls as f64 / self.units as f64, kept)
    }
}

impl fmt::Debug for HotPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotPath")
            .field("name", &self.name)
            .field("units", &self.units)
            .field("passes", &self.passes)
            .finish_non_exhaustive()
    }
}

/// What a hot path cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// The suite it belongs to.
    pub suite: &'static str,
    /// Its name.
    pub name: String,
    /// Instructions a unit of work, and the functions they are in.
    pub profile: Profile,
    /// Allocations a unit of work.
    pub allocations: f64,
    /// Heap bytes kept, divided as the path says.
    pub kept: Option<f64>,
}
