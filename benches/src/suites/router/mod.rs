//! Routers alone: look-ups in every set, by every peer.
//!
//! `find` looks a path up and reads the value; `params` reads all parameters
//! too. Times are nanoseconds a look-up of interleaved rounds; allocations are
//! counted over one pass; bytes and build time are of the built router, a route.

mod count;
mod time;

use crate::{
    cachegrind::Probe,
    hot::HotPath,
    peers::{Mode, OURS, PEERS, Peer, REFERENCE},
    sets::{self, Set, Size},
    suite::{Options, Suite},
};

pub(crate) use self::time::lookups;

/// The suite.
pub(super) const SUITE: Suite =
    Suite::new("router", "Look-ups by every router in every route set", run)
        .switches(&[(
            "cachegrind",
            "Instructions, cache misses and mispredictions by valgrind instead of times",
        )])
        .hot_paths(hot_paths)
        .probe(probe);

/// What the gate holds: a set and what is done with its paths.
const HELD: &[(&str, Mode)] = &[
    ("matchit", Mode::Find),
    ("matchit", Mode::Params),
    ("github", Mode::Find),
    ("github", Mode::Params),
    ("github-random", Mode::Params),
    ("matchit-catchall", Mode::Find),
    ("matchit-404", Mode::Find),
    ("scale-1000", Mode::Params),
];

fn size(options: &Options) -> Size {
    options.pick(Size::Quick, Size::Full)
}

fn peers(options: &Options) -> Result<Vec<Peer>, String> {
    for name in &options.peers {
        Peer::named(name)?;
    }
    let wanted = |peer: &&Peer| {
        let always = peer.name == OURS || peer.name == REFERENCE;
        always || options.wants_peer(peer.name)
    };
    Ok(PEERS.iter().filter(wanted).copied().collect())
}

fn chosen_sets(options: &Options) -> Result<Vec<Set>, String> {
    let names: Vec<&str> = if options.cases.is_empty() {
        let small = |name: &&str| !options.quick || !name.ends_with("0000");
        sets::NAMES.iter().copied().filter(small).collect()
    } else {
        options.cases.iter().map(String::as_str).collect()
    };
    names
        .into_iter()
        .map(|name| sets::make(name, size(options)))
        .collect()
}

/// What the tables of a set are headed by.
fn title(set: &Set) -> String {
    let (routes, lookups) = (set.patterns.len(), set.lookups.len());
    format!("{}: {routes} routes, {lookups} look-ups", set.name)
}

fn run(options: &Options) -> Result<(), String> {
    if options.has("cachegrind") {
        count::run(options)
    } else {
        time::run(options)
    }
}

fn hot_paths() -> Result<Vec<HotPath>, String> {
    HELD.iter()
        .map(|&(name, mode)| hot_path(name, mode))
        .collect()
}

fn hot_path(name: &'static str, mode: Mode) -> Result<HotPath, String> {
    let set = sets::make(name, Size::Quick)?;
    let (routes, lookups) = (set.patterns.len(), set.lookups.len());
    let peer = Peer::named(OURS)?;
    let paths = set.paths().leak();
    let path = HotPath::new(format!("{name} {}", mode.name()), lookups, move || {
        let built = peer.build(&set.patterns);
        Box::new(move || {
            std::hint::black_box(built.pass(mode, paths));
        })
    });
    let (few, many) = passes(name);
    Ok(path.passes(few, many).keeps(routes))
}

/// A long pass needs no repetition to drown what varies.
fn passes(set: &str) -> (usize, usize) {
    if sets::is_cyclic(set) {
        (2, 12)
    } else {
        (1, 3)
    }
}

/// The probe that valgrind runs: passes of one peer and mode over one set.
fn probe(arguments: &[String], passes: usize) -> Result<(), String> {
    let [peer, set, mode, size] = arguments else {
        return Err("a probe of routers is a peer, a set, a mode and a size".into());
    };
    let mode = Mode::ALL
        .into_iter()
        .find(|m| m.name() == mode)
        .ok_or_else(|| format!("no mode is called `{mode}`"))?;
    let size = if size == "quick" {
        Size::Quick
    } else {
        Size::Full
    };
    let peer = Peer::named(peer)?;
    let set = sets::make(set, size)?;
    let (paths, built) = (set.paths(), peer.build(&set.patterns));
    let paths = paths.list();
    for _ in 0..passes {
        std::hint::black_box(built.pass(mode, &paths));
    }
    Ok(())
}

/// The probe of one peer, set and mode.
pub(crate) fn probe_of(peer: &str, set: &Set, mode: Mode, size: Size) -> Probe {
    let size_name = if size == Size::Quick { "quick" } else { "full" };
    Probe {
        args: ["router", peer, set.name, mode.name(), size_name]
            .map(str::to_owned)
            .to_vec(),
        units_per_pass: set.lookups.len(),
        passes: passes(set.name),
    }
}
