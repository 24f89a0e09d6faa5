//! The gate's hot paths as micro-benchmarks for people, by divan: `cargo bench -p benches --bench hot_paths -- router`.
//!
//! The gate counts instructions, which do not say how long they take; these are times of this machine as it is now. A
//! sample is one pass over the path's work, and an item is a unit of it, so that `item/s` compares with other passes.

use benches::{hot::HotPath, suite::Suite, suites};
use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

/// `suite: path` of all that the gate holds.
fn names() -> Vec<String> {
    let named = |suite: &Suite| {
        let name = suite.name;
        let paths = (suite.hot_paths)().expect("the gate's paths can be listed");
        paths
            .into_iter()
            .map(move |path| format!("{name}: {}", path.name))
    };
    suites::ALL.iter().flat_map(named).collect()
}

fn path(name: &str) -> Option<HotPath> {
    let (suite, path) = name.split_once(": ")?;
    let paths = (suites::named(suite).ok()?.hot_paths)().ok()?;
    paths.into_iter().find(|known| known.name == path)
}

#[divan::bench(args = names())]
fn hot(bencher: Bencher<'_, '_>, name: &str) {
    let path = path(name).expect("the names are those of paths");
    let pass = (path.build)();
    bencher
        .counter(ItemsCount::new(path.units))
        .bench_local(pass);
}
