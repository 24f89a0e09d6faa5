//! What is seen of the server from outside while it works: its memory, and whether it was kept from working.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked for stalls.
const LOOK: Duration = Duration::from_millis(20);
/// What one of its threads must have waited for a processor to have been kept from working, of each [`WINDOW`]. It need not be in one
/// piece: a limiter whose queue was not empty for that long goes on to refuse what waits for 5 ms more.
const STALL: Duration = Duration::from_millis(50);
/// The time that a limiter's queue is given to become empty.
const WINDOW: Duration = Duration::from_millis(100);
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
    memory: Vec<(Instant, u64)>,
    /// When it had been stalled for the window before.
    stalls: Vec<Instant>,
}

impl Watch {
    pub(super) fn start(process: u32) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            let mut threads = HashMap::new();
            let (mut looked, mut sampled) = (Instant::now(), Instant::now());
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                // Who looks comes late when the machine itself stood still.
                let late = (now - looked).saturating_sub(LOOK);
                if late.max(stalled(process, now, &mut threads)) >= STALL {
                    seen.stalls.push(now);
                }
                looked = now;
                if now - sampled >= SAMPLE {
                    seen.memory.push((now, resident(process)));
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

/// How long a thread has waited for a processor.
struct Waits {
    /// Since it began.
    all: u64,
    /// What came to it with each look of the last window.
    recent: VecDeque<(Instant, u64)>,
}

/// How long that one of the process's threads that waited longest could have run and had no processor, within the last window. What a
/// thread has waited is told when it has got one (`schedstat` of proc(5)).
fn stalled(process: u32, now: Instant, seen: &mut HashMap<String, Waits>) -> Duration {
    let mut longest = 0;
    // The process may have been killed by the test, and threads come and go.
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    for thread in threads.into_iter().flatten().flatten() {
        let Ok(text) = std::fs::read_to_string(thread.path().join("schedstat")) else {
            continue;
        };
        let all = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        let name = thread.file_name().into_string().unwrap();
        let waits = seen.entry(name).or_insert_with(|| Waits {
            all,
            recent: VecDeque::new(),
        });
        waits.recent.push_back((now, all.saturating_sub(waits.all)));
        waits.all = all;
        let is_past = |(when, _): &(Instant, u64)| now - *when >= WINDOW;
        while waits.recent.front().is_some_and(is_past) {
            waits.recent.pop_front();
        }
        longest = longest.max(waits.recent.iter().map(|(_, waited)| waited).sum());
    }
    Duration::from_nanos(longest)
}

/// The bytes of a process that are in memory.
pub(super) fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

impl Seen {
    /// The resident bytes in the middle of each half of the time from then on.
    pub(super) fn halves(&self, since: Instant) -> [u64; 2] {
        let memory = self.memory.iter().filter(|(when, _)| *when >= since);
        let memory: Vec<_> = memory.map(|(_, bytes)| *bytes).collect();
        let (first, second) = memory.split_at(memory.len() / 2);
        [first, second].map(|half| {
            let mut half = half.to_vec();
            let middle = half.len() / 2;
            *half.select_nth_unstable(middle).1
        })
    }

    /// The resident bytes at the end of each minute.
    pub(super) fn each_minute(&self) -> Vec<u64> {
        let memory = self.memory.iter().map(|(_, bytes)| *bytes);
        memory.skip(59).step_by(60).collect()
    }

    /// Whether there was a stall within this time before or after.
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
