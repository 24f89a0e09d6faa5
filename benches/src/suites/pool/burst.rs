//! Buffers held at once: page faults and allocator calls, which are what a garbage collector's rounds are in Rust.
//!
//! A round acquires all buffers, writes a byte of every page, and releases them. The article that this crate answers
//! claims 92 instead of 840 ns an allocation and 3 instead of 128 collections a second at 10,000 requests at once: here
//! 10,000 buffers of 4 KiB are held at once, and so are 64 of larger ones.

use std::{env, hint::black_box, process::Command, time::Instant};

use bytes::BufMut;
use tower_pool::Pool;

use super::Allocator;
use crate::{
    alloc,
    process::{Cores, Usage, on_core},
    report::{Better, Report, Table, number},
    rounds::Series,
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

const FRESH: &str = "Vec::with_capacity";
const OURS: &str = "tower-pool";
const MICROS: &str = "us a buffer";
const FAULTS: &str = "faults a buffer";
const CALLS: &str = "allocator calls a buffer";

pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("pool-burst");
    report.note(
        "Every buffer of a round is acquired and a byte of each of its pages written before the first is released. \
         Medians of interleaved rounds; page faults and allocator calls a second are of the time spent. Each allocator \
         is a process of its own.",
    );
    let repeats = options.pick(1, 5);
    for allocator in Allocator::all() {
        let loads = run_process(&allocator, repeats)?;
        let title = format!("buffers held at once, {}", allocator.name);
        let header = [
            "buffers",
            MICROS,
            FAULTS,
            "faults a second",
            "allocator calls a second",
        ];
        let mut table = Table::new(&title, &header);
        for (name, [fresh, ours]) in loads {
            let faster = fresh.ratio(&ours, MICROS);
            let figure = format!("{}, {name}: times faster", allocator.name);
            report.figure(figure, faster, "x", Better::Higher);
            for series in [fresh, ours] {
                let a_second = |metric| series.median(metric) / series.median(MICROS) * 1e6;
                table.row(vec![
                    series.name.clone(),
                    number(series.median(MICROS)),
                    number(series.median(FAULTS)),
                    number(a_second(FAULTS)),
                    number(a_second(CALLS)),
                ]);
                report.series(&title, &[series])?;
            }
        }
        report.table(table);
    }
    report.finish(options)
}

/// A load, and the samples of either holder.
type Load = (String, [Series; 2]);

/// Runs [`answer`] in a process with the allocator.
fn run_process(allocator: &Allocator, repeats: usize) -> Result<Vec<Load>, String> {
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
    let told = String::from_utf8_lossy(&output.stdout);
    let load = |line| serde_json::from_str(line).map_err(|e| format!("{line}: {e}"));
    told.lines().map(load).collect()
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

/// The process: measures, and prints each load as a line of JSON.
pub(super) fn answer() -> Result<(), String> {
    let repeats: usize = env::var("REPEATS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let pool = Pool::builder()
        .limit(1 << 30)
        .build()
        .map_err(|e| e.to_string())?;
    let mut holders: [Box<dyn Holder>; 2] = [Box::new(Fresh), Box::new(Ours(pool))];
    for (count, size) in LOADS {
        let name = format!("{count} of {} KiB", size >> 10);
        let mut both = [FRESH, OURS].map(|holder| Series {
            name: format!("{holder}, {name}"),
            ..Series::default()
        });
        for _ in 0..ROUNDS * repeats {
            for (holder, series) in holders.iter_mut().zip(&mut both) {
                let faults = Usage::of(std::process::id()).minor_faults;
                let start = Instant::now();
                let ((), calls) = alloc::count(|| holder.round(count, size));
                let time = start.elapsed();
                let faults = Usage::of(std::process::id()).minor_faults - faults;
                let each = |sum: f64| sum / count as f64;
                series.keep(MICROS, each(time.as_secs_f64() * 1e6));
                series.keep(FAULTS, each(faults as f64));
                series.keep(CALLS, each(calls as f64));
            }
        }
        let load: Load = (name, both);
        println!(
            "{}",
            serde_json::to_string(&load).map_err(|e| e.to_string())?
        );
    }
    Ok(())
}
