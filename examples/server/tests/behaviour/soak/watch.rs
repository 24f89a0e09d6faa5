//! What is seen of the server from outside while it works: its memory, and whether it was kept from working.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked for stalls.
const LOOK: Duration = Duration::from_millis(20);
/// The shortest that counts: a limiter's queue is given twice as long (100 ms), of which requests need some.
const STALL: Duration = Duration::from_millis(50);
/// How often it is looked at the memory.
const SAMPLE: Duration = Duration::from_secs(1);

/// Looks at a process until it is asked what was seen.
pub(super) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    /// Resident bytes, once a second.
    memory: Vec<u64>,
    /// When a stall was over.
    stalls: Vec<Instant>,
}

impl Watch {
    pub(super) fn start(process: u32) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            let mut waits = HashMap::new();
            let (mut looked, mut sampled) = (Instant::now(), Instant::now());
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                // Who looks comes late when the machine itself stood still.
                let late = (now - looked).saturating_sub(LOOK);
                if late.max(stalled(process, now - looked, &mut waits)) >= STALL {
                    seen.stalls.push(now);
                }
                looked = now;
                if now - sampled >= SAMPLE {
                    seen.memory.push(resident(process));
                    sampled += SAMPLE;
                }
            }
            seen
        });
        Watch { stop, thread }
    }

    pub(super) fn end(self) -> Seen {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

/// For how long one of the process's threads could have run and had no processor, at the least. How long threads have waited for one
/// is told when they have got it (`schedstat` of proc(5)): what is more than the time since the last look was in one piece.
fn stalled(process: u32, since: Duration, waits: &mut HashMap<String, u64>) -> Duration {
    let mut longest = Duration::ZERO;
    // The process may have been killed by the test, and threads come and go.
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    for thread in threads.into_iter().flatten().flatten() {
        let Ok(text) = std::fs::read_to_string(thread.path().join("schedstat")) else {
            continue;
        };
        let waited = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        let name = thread.file_name().into_string().unwrap();
        if let Some(before) = waits.insert(name, waited) {
            let waited = Duration::from_nanos(waited.saturating_sub(before));
            longest = longest.max(waited.saturating_sub(since));
        }
    }
    longest
}

/// The bytes of a process that are in memory.
pub(super) fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

impl Seen {
    /// The resident bytes in the middle of each of so many parts of the time, in order.
    pub(super) fn memory(&self, parts: usize) -> Vec<u64> {
        let length = self.memory.len() / parts;
        let medians = self.memory.chunks_exact(length).take(parts).map(|part| {
            let mut part = part.to_vec();
            *part.select_nth_unstable(length / 2).1
        });
        medians.collect()
    }

    /// The resident bytes at the end of each minute.
    pub(super) fn each_minute(&self) -> Vec<u64> {
        self.memory.iter().copied().skip(59).step_by(60).collect()
    }

    /// Whether a stall was over within this time before or after.
    pub(super) fn stall_near(&self, when: Instant, within: Duration) -> bool {
        let near = |stall: &Instant| {
            let apart = stall.max(&when).duration_since(*stall.min(&when));
            apart <= within
        };
        self.stalls.iter().any(near)
    }

    pub(super) fn stalls(&self) -> usize {
        self.stalls.len()
    }
}
