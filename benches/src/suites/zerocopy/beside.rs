//! What a small request waits for while the same worker has something heavier to do.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::fs::{Advice, fadvise};

use super::{REFERENCE, Site, client::Client, servers};
use crate::{
    process::{Cores, Server, on_core},
    report::{Better, Report, Table},
    rounds::{self, Sample},
    suite::Options,
    tools,
};

const MEDIAN: &str = "p50 us";
const TAIL: &str = "p99 us";
const WORST: &str = "max ms";
const ANSWERED: &str = "answered/s";
const STALLS: &str = "stalls";

/// A small request that waits longer than this found the worker blocked.
const STALL: Duration = Duration::from_millis(20);

/// 1 KiB requests while four connections loop 100 MiB from memory.
pub(super) fn fairness(
    options: &Options,
    servers: &mut [(String, Server)],
    report: &mut Report,
) -> Result<(), String> {
    let span = Duration::from_millis(options.pick(400, 2_000));
    let title = "1 KiB while four connections loop 100 MiB";
    let all = on_core(Cores::split().client, || {
        rounds::interleave(title, servers, options.pick(1, 7), |_, server, _| {
            let loads: Vec<_> = (0..4)
                .map(|_| Load::start(server, "100m", 100 << 20))
                .collect();
            let sample = small_requests(server, span);
            loads.into_iter().try_for_each(Load::stop)?;
            sample.map_err(|e| e.to_string())
        })
    })??;
    report.series(title, &all)?;
    report.table(Table::of_series(
        title,
        "server",
        &[MEDIAN, TAIL, ANSWERED],
        &all,
        REFERENCE,
    ));
    if let (Some(ours), Some(other)) = (
        all.iter().find(|series| series.name == servers::OURS),
        all.iter().find(|series| series.name == REFERENCE),
    ) {
        report.figure(
            "fairness: p50, of ServeDir's",
            ours.ratio(other, MEDIAN),
            "x",
            Better::Lower,
        );
    }
    Ok(())
}

/// 1 KiB requests while one connection fetches a file that must come from the disk.
pub(super) fn cold(
    options: &Options,
    servers: &mut [(String, Server)],
    site: &Site,
    report: &mut Report,
) -> Result<(), String> {
    let len = options.pick(64 << 20, 256 << 20);
    let file = site.root().join("cold");
    let make = || -> io::Result<File> {
        let mut out = File::create(&file)?;
        for _ in 0..len >> 20 {
            out.write_all(&[b'x'; 1 << 20])?;
        }
        out.sync_all()?;
        File::open(&file)
    };
    let pages = make().map_err(|e| format!("cannot make {}: {e}", file.display()))?;
    let throttle = Throttle::new(&file, 100 << 20);
    match &throttle {
        Ok(throttle) => {
            for (_, server) in servers.iter() {
                throttle.hold(server.pid()).map_err(|e| e.to_string())?;
            }
        }
        Err(error) => tools::missing("a throttled device", &error.to_string()),
    }
    let span = Duration::from_millis(options.pick(400, 2_000));
    let title = "1 KiB while a cold file is read";
    let all = on_core(Cores::split().client, || {
        rounds::interleave(title, servers, options.pick(1, 5), |_, server, _| {
            fadvise(&pages, 0, None, Advice::DontNeed).map_err(|e| e.to_string())?;
            let load = Load::start(server, "cold", len);
            let sample = small_requests(server, span);
            load.stop()?;
            sample.map_err(|e| e.to_string())
        })
    })??;
    report.series(title, &all)?;
    report.table(Table::of_series(
        title,
        "server",
        &[MEDIAN, TAIL, WORST, STALLS, ANSWERED],
        &all,
        REFERENCE,
    ));
    report.note(format!(
        "Cold: pages dropped by posix_fadvise before each round; {}. A stall is a small request that took longer than {} ms.",
        if throttle.is_ok() { "the disk throttled to 100 MiB/s for the servers (blkio)" } else { "the disk as fast as it is" },
        STALL.as_millis()
    ));
    Ok(())
}

/// One request after another, each on a connection of its own, as visitors come.
fn small_requests(server: &Server, span: Duration) -> io::Result<Sample> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < span {
        let mut client = Client::new(server.address, "1k")?;
        let one = Instant::now();
        client.fetch(1 << 10)?;
        times.push(one.elapsed());
    }
    let elapsed = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64();
    let stalls = times.iter().filter(|time| **time > STALL).count();
    Ok(Sample::new()
        .with(MEDIAN, at(0.5) * 1e6)
        .with(TAIL, at(0.99) * 1e6)
        .with(WORST, at(1.0) * 1e3)
        .with(STALLS, stalls as f64)
        .with(ANSWERED, times.len() as f64 / elapsed))
}

/// A connection that fetches a file over and over.
struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Load {
    fn start(server: &Server, file: &'static str, len: usize) -> Self {
        let (stop, address) = (Arc::new(AtomicBool::new(false)), server.address);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut client = Client::new(address, file)?;
            while !stopped.load(Ordering::Relaxed) {
                client.fetch(len)?;
            }
            Ok(())
        });
        Self { stop, thread }
    }

    fn stop(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(result) => result.map_err(|e| format!("the load beside: {e}")),
            Err(_) => Err("the load beside panicked".into()),
        }
    }
}

/// A control group whose members read from one device at a bounded rate; it goes with the value.
struct Throttle(PathBuf);

impl Throttle {
    /// # Errors
    /// Where there is no such controller, or one must be root to use it.
    fn new(file: &Path, bytes_per_second: u64) -> io::Result<Self> {
        let device = fs::metadata(file)?.dev();
        let group = PathBuf::from(format!(
            "/sys/fs/cgroup/blkio/zerocopy-bench-{}",
            std::process::id()
        ));
        fs::create_dir(&group)?;
        let throttle = Self(group);
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let rule = format!("{major}:{minor} {bytes_per_second}");
        fs::write(throttle.0.join("blkio.throttle.read_bps_device"), rule)?;
        Ok(throttle)
    }

    /// Takes a process and its children in.
    fn hold(&self, pid: u32) -> io::Result<()> {
        fs::write(self.0.join("cgroup.procs"), pid.to_string())?;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        for child in children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
        {
            self.hold(child)?;
        }
        Ok(())
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        // A group can go once it has no members: back to the root with them.
        let members = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        for member in members.lines() {
            let _ = fs::write("/sys/fs/cgroup/blkio/cgroup.procs", member);
        }
        let _ = fs::remove_dir(&self.0);
    }
}
