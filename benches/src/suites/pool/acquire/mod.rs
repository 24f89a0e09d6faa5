//! Acquiring and releasing a buffer of 16 KiB, one byte of it written, beside other pools.
//!
//! Three workloads, the same for everyone: acquired and released on one thread; the same on two threads that share
//! the pool; acquired on one and released on another, handed over 64 at a time, neither sleeping. Nanoseconds of the
//! threads' own processor time, so that waiting for each other, or for a core, is not in it. The second byte of a
//! vector is not looked at either: what differs is the pool. Every peer's `acquire` is inlined, so that it is not the
//! compiler's choice which of them pays for a call more.

mod peers;

use std::{
    hint::{black_box, spin_loop},
    sync::Barrier,
    thread,
};

use crossbeam_queue::ArrayQueue;
use rustix::time::{ClockId, clock_gettime};

use self::peers::{Ours, Peer, build};
use crate::{
    cachegrind::{self, Depth, Probe},
    hot::HotPath,
    process::{Cores, on_core},
    report::{Better, Report, Table, number},
    rounds::{self, Sample},
    stats::Interval,
    suite::Options,
};

const SIZE: usize = 16 << 10;
/// Buffers handed over at once.
const BATCH: usize = 64;

const OURS: &str = "tower-pool";
const LOCAL: &str = "thread_local Vec";

pub(super) const PEERS: &[&str] = &[
    OURS,
    LOCAL,
    "Vec::with_capacity",
    "ArrayQueue",
    "opool",
    "lockfree-object-pool",
    "object-pool",
    "sharded-slab",
];

/// What is done with each peer, whatever its type.
trait Workload {
    fn pairs(&self, count: usize);
    fn two_threads(&self, count: usize) -> f64;
    fn across(&self, count: usize) -> f64;
}

impl<P: Peer> Workload for P {
    fn pairs(&self, count: usize) {
        for _ in 0..count {
            drop(black_box(self.acquire()));
        }
    }

    fn two_threads(&self, count: usize) -> f64 {
        let barrier = Barrier::new(2);
        let work = || {
            // Each warms up before both measure.
            self.pairs(1000);
            barrier.wait();
            let start = processor_time();
            self.pairs(count);
            processor_time() - start
        };
        let both = thread::scope(|scope| {
            let other = scope.spawn(|| pinned(Cores::split().client, work));
            pinned(Cores::split().server, work) + other.join().expect("no panic")
        });
        both / (2 * count) as f64
    }

    fn across(&self, count: usize) -> f64 {
        // Both threads are busy, as workers of a busy server are: neither sleeps for the other's batch.
        let (full, empty) = (ArrayQueue::new(2), ArrayQueue::new(2));
        let _ = empty.push(Vec::with_capacity(BATCH));
        let _ = empty.push(Vec::with_capacity(BATCH));
        let rounds = count / BATCH;
        let spent = thread::scope(|scope| {
            let releaser = scope.spawn(|| {
                pinned(Cores::split().client, || {
                    let mut spent = 0.0;
                    for _ in 0..rounds {
                        let mut batch: Vec<P::Item<'_>> = awaited(|| full.pop());
                        let start = processor_time();
                        batch.clear();
                        spent += processor_time() - start;
                        let _ = empty.push(batch);
                    }
                    spent
                })
            });
            let spent = pinned(Cores::split().server, || {
                let mut spent = 0.0;
                for _ in 0..rounds {
                    let mut batch = awaited(|| empty.pop());
                    let start = processor_time();
                    batch.extend((0..BATCH).map(|_| self.acquire()));
                    spent += processor_time() - start;
                    let _ = full.push(batch);
                }
                spent
            });
            spent + releaser.join().expect("no panic")
        });
        spent / (rounds * BATCH) as f64
    }
}

/// What `look` finds, looked for without sleeping.
fn awaited<R>(mut look: impl FnMut() -> Option<R>) -> R {
    loop {
        for _ in 0..10_000 {
            if let Some(found) = look() {
                return found;
            }
            spin_loop();
        }
        // On a machine with other work the other thread may not run.
        thread::yield_now();
    }
}

fn pinned<R>(core: usize, work: impl FnOnce() -> R) -> R {
    on_core(core, work).expect("the core was allowed a moment ago")
}

/// The calling thread's time on a core, in nanoseconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Under cachegrind: passes of a hundred pairs.
pub(super) fn probe(arguments: &[String], passes: usize) -> Result<(), String> {
    let [name] = arguments else {
        return Err("one argument: which peer".into());
    };
    let peer = build(name).ok_or_else(|| format!("`{name}` is no peer"))?;
    peer.pairs(100 * passes);
    Ok(())
}

pub(super) fn hot_path() -> HotPath {
    HotPath::new("acquire and release 16 KiB", 100, || {
        let pool = tower_pool::Pool::new();
        Box::new(move || Ours(pool.clone()).pairs(100))
    })
}

pub(super) fn run(options: &Options) -> Result<(), String> {
    let chosen = |name: &&&str| **name == OURS || **name == LOCAL || options.wants_peer(name);
    let names: Vec<&str> = PEERS.iter().filter(chosen).copied().collect();
    let mut subjects = Vec::new();
    for name in &names {
        let peer = build(name).ok_or_else(|| format!("{name} cannot be built"))?;
        subjects.push(((*name).to_owned(), peer));
    }
    let count = options.pick(20_000, 200_000);
    let rounds = options.pick(5, 25);
    let all = rounds::interleave("acquire", &mut subjects, rounds, |_, peer, _| {
        peer.pairs(1000);
        let start = processor_time();
        peer.pairs(count);
        let one = (processor_time() - start) / count as f64;
        Ok(Sample::new()
            .with("one thread ns", one)
            .with("two threads ns", peer.two_threads(count))
            .with("across threads ns", peer.across(count)))
    })?;
    let probes: Vec<Probe> = names
        .iter()
        .map(|name| Probe {
            args: vec!["pool".to_owned(), (*name).to_owned()],
            units_per_pass: 100,
            passes: (20, 220),
        })
        .collect();
    let counts = cachegrind::run_all(&probes, Depth::Instructions)?;

    let mut report = Report::new("pool-acquire");
    report.note(format!(
        "Acquire and release of {} KiB, one byte written. Processor time of the threads that work, medians of {rounds} \
         interleaved rounds; across threads: acquired on one core and released on another, {BATCH} at a time. \
         Instructions of a pair on one thread by cachegrind.",
        SIZE >> 10
    ));
    let metrics = ["one thread ns", "two threads ns", "across threads ns"];
    report.series("acquire", &all)?;
    report.table(Table::of_series(
        "acquire and release",
        "pool",
        &metrics,
        &all,
        LOCAL,
    ));
    let mut table = Table::new("instructions of a pair", &["pool", "instructions"]);
    for (name, count) in names.iter().zip(&counts) {
        table.row(vec![(*name).to_owned(), number(count.instructions)]);
    }
    report.table(table);
    let series = |name: &str| all.iter().find(|series| series.name == name);
    if let (Some(ours), Some(local)) = (series(OURS), series(LOCAL)) {
        let ratio = ours.ratio(local, "one thread ns");
        report.figure(
            "one thread: time of a thread-local stack's",
            ratio,
            "x",
            Better::Lower,
        );
        for peer in all
            .iter()
            .filter(|series| series.name != OURS && series.name != LOCAL)
        {
            for metric in &metrics[1..] {
                let ratio = ours.ratio(peer, metric);
                report.figure(
                    format!("{metric}: of {}'s", peer.name),
                    ratio,
                    "x",
                    Better::Lower,
                );
            }
        }
    }
    if let (Some(ours), Some(local)) = (counts.first(), counts.get(1)) {
        let ratio = Interval::exact(ours.instructions / local.instructions);
        report.figure(
            "one thread: instructions of a thread-local stack's",
            ratio,
            "x",
            Better::Lower,
        );
    }
    report.finish(options)
}
