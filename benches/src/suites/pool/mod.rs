//! Pooled memory beside what a program would use without: axum's own extractors, the allocator, other pools.
//!
//! | part | what | the same for everyone |
//! |---|---|---|
//! | `acquire` | acquiring and releasing a buffer of 16 KiB, a byte of it written | the buffer's size, the write, the threads |
//! | `burst` | 64 buffers held at once, every page written, then released | the article's claim, as page faults and allocator calls a second |
//! | `http` | bodies and JSON through axum, with glibc's allocator and with mimalloc | the router, hyper, one worker thread, 64 connections |
//! | `memory` | 400 uploads of 1 MiB at once into 64 MiB, and what is left afterwards | the uploads |
//!
//! An allocator belongs to a process: the servers and the bursts run in processes of their own, with
//! `libmimalloc.so` loaded before the C library where mimalloc is measured.

mod acquire;
mod burst;
mod http;
mod memory;
mod server;

use std::{env, path::PathBuf, process::Command};

use crate::{
    hot::HotPath,
    process::Server,
    suite::{Options, Suite},
    tools,
};

pub(super) const SUITE: Suite = Suite::new(
    "pool",
    "Pooled bodies and buffers beside axum's own, the allocator and other pools",
    run,
)
.peers(acquire::PEERS)
.cases(&["acquire", "burst", "http", "memory"])
.hot_paths(hot_paths)
.serve(serve)
.probe(acquire::probe);

fn run(options: &Options) -> Result<(), String> {
    // First, so that what is left can be looked at last: the other parts take as long as it should rest.
    let resting = options.wants_case("memory").then(|| memory::load(options));
    let resting = resting.transpose()?;
    if options.wants_case("acquire") {
        acquire::run(options)?;
    }
    if options.wants_case("burst") {
        burst::run(options)?;
    }
    if options.wants_case("http") {
        http::run(options)?;
    }
    match resting {
        Some(resting) => memory::finish(resting, options),
        None => Ok(()),
    }
}

fn hot_paths() -> Result<Vec<HotPath>, String> {
    Ok(vec![acquire::hot_path(), server::collect_hot_path()])
}

fn serve(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [what] if what == "burst" => burst::answer(),
        [what] => server::serve(what),
        _ => Err("one argument: which server".into()),
    }
}

/// An allocator to measure with.
#[derive(Debug, Clone)]
struct Allocator {
    name: &'static str,
    /// What is loaded before the C library.
    preload: Option<PathBuf>,
}

impl Allocator {
    /// glibc's, and mimalloc where it is installed.
    fn all() -> Vec<Self> {
        let mut all = vec![Self {
            name: "glibc",
            preload: None,
        }];
        let places = [
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/lib64",
            "/usr/lib",
            "/usr/local/lib",
        ];
        let found = places
            .iter()
            .flat_map(|place| {
                ["libmimalloc.so.2", "libmimalloc.so"].map(|name| PathBuf::from(place).join(name))
            })
            .find(|path| path.is_file());
        match found {
            Some(path) => all.push(Self {
                name: "mimalloc",
                preload: Some(path),
            }),
            None => tools::missing("mimalloc", "not installed (apt-get install libmimalloc2.0)"),
        }
        all
    }

    /// This program as the suite's server `what`, with this allocator.
    fn server(&self, what: &str) -> Result<Server, String> {
        let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
        let mut command = Command::new(exe);
        command.args(["serve", "pool", what]);
        if let Some(library) = &self.preload {
            command.env("LD_PRELOAD", library);
        }
        Server::announcing(&format!("{what}, {}", self.name), command)
    }
}
