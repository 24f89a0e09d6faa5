//! Buffers held at once: page faults and allocator calls, which are what a garbage collector's rounds are in Rust.
//!
//! A round acquires all buffers, writes a byte of every page, and releases them. The article that this crate answers
//! claims 92 instead of 840 ns an allocation and 3 instead of 128 collections a second at 10,000 requests at once: here
//! 10,000 buffers of 4 KiB are held at once, and so are 64 of larger ones.

use std::{
    env,
    hint::black_box,
    process::Command,
    time::{Duration, Instant},
};

use bytes::BufMut;
use tower_pool::Pool;

use super::Allocator;
use crate::{
    alloc,
    process::{Cores, Usage, on_core},
    report::{Better, Report, Table, number},
    stats::{Interval, median, median_interval},
    suite::Options,
};

const PAGE: usize = 4096;
const LOADS: [(usize, usize); 4] = [
    (10_000, 4 << 10),
    (64, 16 << 10),
    (64, 64 << 10),
    (64, 1 << 20),
];
const ROUNDS: usize = 15;

pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("pool-burst");
    report.note(
        "Every buffer of a round is acquired and a byte of each of its pages written before the first is released. \
         Medians of interleaved rounds; page faults and allocator calls a second are of the time spent. Each allocator \
         is a process of its own.",
    );
    let repeats = options.pick(1, 5);
    for allocator in Allocator::all() {
        let lines = run_process(&allocator, repeats)?;
        let mut table = Table::new(
            format!("buffers held at once, {}", allocator.name),
            &[
                "buffers",
                "us a buffer",
                "faults a buffer",
                "faults a second",
                "allocator calls a second",
            ],
        );
        for line in lines.lines() {
            let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
            match cells.as_slice() {
                [load, faster @ ..] if faster.len() == 3 => {
                    let name = format!("{}, {load}: times faster", allocator.name);
                    report.figure(name, interval(faster)?, "x", Better::Higher);
                }
                _ => table.row(cells),
            }
        }
        report.table(table);
    }
    report.finish(options)
}

/// Runs [`answer`] in a process with the allocator.
fn run_process(allocator: &Allocator, repeats: usize) -> Result<String, String> {
    let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
    let mut command = Command::new(exe);
    command.args(["serve", "pool", "burst"]);
    if let Some(library) = &allocator.preload {
        command.env("LD_PRELOAD", library);
    }
    command.env("REPEATS", repeats.to_string());
    let output = on_core(Cores::split().server, || command.output())?
        .map_err(|e| format!("the burst with {} does not start: {e}", allocator.name))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn interval(cells: &[String]) -> Result<Interval, String> {
    let numbers: Result<Vec<f64>, _> = cells.iter().map(|cell| cell.parse()).collect();
    match numbers.map_err(|e| format!("{cells:?}: {e}"))?.as_slice() {
        &[middle, low, high] => Ok(Interval { middle, low, high }),
        _ => Err(format!("{cells:?} is no interval")),
    }
}

/// What holds the buffers of a round.
trait Holder {
    fn round(&mut self, count: usize, size: usize);
}

struct Ours(Pool);

impl Holder for Ours {
    fn round(&mut self, count: usize, size: usize) {
        let held: Vec<_> = (0..count)
            .map(|_| {
                let mut buffer = self.0.try_acquire(size).expect("below the limit");
                touch(buffer.chunk_mut(), size);
                buffer
            })
            .collect();
        black_box(&held);
    }
}

struct Fresh;

impl Holder for Fresh {
    fn round(&mut self, count: usize, size: usize) {
        let held: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let mut buffer = Vec::with_capacity(size);
                touch(buffer.chunk_mut(), size);
                buffer
            })
            .collect();
        black_box(&held);
    }
}

fn touch(spare: &mut bytes::buf::UninitSlice, size: usize) {
    for page in (0..size).step_by(PAGE) {
        spare.write_byte(page, 1);
    }
    black_box(spare.as_mut_ptr());
}

/// The process: measures and prints, by tabs a row of five cells for each holder, and a load with the interval of how
/// much faster the second one is.
pub(super) fn answer() -> Result<(), String> {
    let repeats: usize = env::var("REPEATS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let pool = Pool::builder()
        .limit(1 << 30)
        .build()
        .map_err(|e| e.to_string())?;
    let mut holders: [(&str, Box<dyn Holder>); 2] = [
        ("Vec::with_capacity", Box::new(Fresh)),
        ("tower-pool", Box::new(Ours(pool))),
    ];
    for (count, size) in LOADS {
        let mut samples: [Vec<[f64; 3]>; 2] = Default::default();
        for _ in 0..ROUNDS * repeats {
            for ((_, holder), samples) in holders.iter_mut().zip(&mut samples) {
                let faults = Usage::of(std::process::id()).minor_faults;
                let start = Instant::now();
                let ((), calls) = alloc::count(|| holder.round(count, size));
                let time = start.elapsed();
                let faults = Usage::of(std::process::id()).minor_faults - faults;
                samples.push(sample(time, faults, calls));
            }
        }
        for ((name, _), samples) in holders.iter().zip(&samples) {
            let column = |index: usize| {
                let column: Vec<f64> = samples.iter().map(|sample| sample[index]).collect();
                median(&column)
            };
            let (time, faults, calls) = (column(0), column(1), column(2));
            println!(
                "{name}, {count} of {} KiB\t{}\t{}\t{}\t{}",
                size >> 10,
                number(time * 1e6 / count as f64),
                number(faults / count as f64),
                number(faults / time),
                number(calls / time),
            );
        }
        let [fresh, ours] = &samples;
        let faster: Vec<f64> = fresh.iter().zip(ours).map(|(f, o)| f[0] / o[0]).collect();
        let Interval { middle, low, high } = median_interval(&faster);
        println!("{count} of {} KiB\t{middle}\t{low}\t{high}", size >> 10);
    }
    Ok(())
}

fn sample(time: Duration, faults: u64, calls: u64) -> [f64; 3] {
    [time.as_secs_f64(), faults as f64, calls as f64]
}
