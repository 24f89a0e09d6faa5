//! Peers as processes: started on a core of their own, watched from `/proc`, stopped when dropped.
//!
//! The server's half of a measurement has one core, the client's another, so that neither is charged for the other
//! and a process's CPU time is its own. Affinity is inherited: the driver pins itself for the moment of the start.

mod awake;

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity},
};

pub(crate) use self::awake::Awake;

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(20);

/// Where the halves of a measurement run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// The core of the server under test.
    pub server: usize,
    /// The core of the load.
    pub client: usize,
}

impl Cores {
    /// The first core for the server and the last for the client; says loudly when they are one and the same.
    pub fn split() -> Self {
        let allowed = sched_getaffinity(None).unwrap_or_default();
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let server = cores.next().unwrap_or(0);
        let client = cores.next_back().unwrap_or(server);
        if client == server {
            eprintln!(
                "ATTENTION: only one core: server and client share it, and their rates are not a server's"
            );
        }
        Self { server, client }
    }
}

/// Runs `work` with this thread, and whatever it starts, on one core; afterwards it is where it was.
pub fn on_core<R>(core: usize, work: impl FnOnce() -> R) -> Result<R, String> {
    let before = sched_getaffinity(None).map_err(|e| format!("reading the affinity: {e}"))?;
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|e| format!("pinning to core {core}: {e}"))?;
    let result = work();
    sched_setaffinity(None, &before).map_err(|e| format!("unpinning: {e}"))?;
    Ok(result)
}

/// A server under test, in a process of its own. Dropped, it is stopped by SIGTERM and waited for.
#[derive(Debug)]
pub struct Server {
    /// As results name it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// This program as `serve <suite> <arguments>` on the server's core; waits for the address it announces.
    ///
    /// It ends when the driver does, however that ends: its standard input closes then.
    pub fn ours(name: &str, suite: &str, arguments: &[&str]) -> Result<Self, String> {
        let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
        let mut command = Command::new(exe);
        command.arg("serve").arg(suite).args(arguments);
        Self::announcing(name, command)
    }

    /// A program that, as ours do, prints `listening on <address>` and ends with its standard input.
    pub fn announcing(name: &str, mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(&mut command).map_err(|e| format!("{name} does not start: {e}"))?;
        let stdout = child.stdout.take().ok_or("a server without output")?;
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .and_then(|text| text.parse().ok());
        match (read, address) {
            (Ok(_), Some(address)) => Ok(Self {
                name: name.to_owned(),
                address,
                child,
            }),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!(
                    "{name} did not say where it listens: `{}`",
                    line.trim()
                ))
            }
        }
    }

    /// Another program, told to listen on `address` ([`free_address`] finds one); waits until it accepts.
    pub fn program(name: &str, mut command: Command, address: SocketAddr) -> Result<Self, String> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = spawn(&mut command).map_err(|e| format!("{name} does not start: {e}"))?;
        let mut server = Self {
            name: name.to_owned(),
            address,
            child,
        };
        let begin = Instant::now();
        while begin.elapsed() < START {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!(
                    "{name} ended at once ({status}): {}",
                    server.complaint()
                ));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!(
            "{name} does not answer on {address} within {START:?}"
        ))
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it and the processes below it have used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.pid())
    }

    fn complaint(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut text);
        }
        text.trim().lines().take(3).collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Not SIGKILL, which would leave the workers of those that have some.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    on_core(Cores::split().server, || command.spawn())?.map_err(|e| e.to_string())
}

/// Puts this process, and what it starts from now on, before all others, so that a machine in use can be measured on.
///
/// By real-time scheduling, since niceness only counts within a session where the kernel groups by those (`autogroup`).
pub(crate) fn before_all_others() -> Result<(), String> {
    chrt(&["--fifo", "--pid", "1", &std::process::id().to_string()])
}

/// Takes a process out of [`before_all_others`] again: there its own threads would not take turns on their core.
pub(crate) fn among_others(pid: u32) -> Result<(), String> {
    chrt(&["--all-tasks", "--other", "--pid", "0", &pid.to_string()])
}

/// Which of a process's threads on one core runs when more than one wants to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    First,
    Last,
}

/// Gives the calling thread its turn, `priority` being whether the process is [before all others](before_all_others).
///
/// A thread of the last turn runs while none of the first wants to: by real-time priorities if the process has one, else by the
/// policy of the idle.
pub(crate) fn take_turn(turn: Turn, priority: bool) -> Result<(), String> {
    let thread = gettid();
    match (turn, priority) {
        (Turn::First, true) => {
            let thread = thread.as_raw_nonzero().to_string();
            chrt(&["--fifo", "--pid", "2", &thread])
        }
        (Turn::Last, false) => idle_policy(thread),
        (Turn::First, false) | (Turn::Last, true) => Ok(()),
    }
}

fn idle_policy(thread: Pid) -> Result<(), String> {
    let thread = thread.as_raw_nonzero().to_string();
    chrt(&["--idle", "--pid", "0", &thread])
}

/// A command that is not put before all others by [`before_all_others`]: to compile is not to measure.
pub(crate) fn in_turn(program: &str) -> Command {
    let mut command = Command::new("chrt");
    command.args(["--other", "0", program]);
    command
}

fn chrt(arguments: &[&str]) -> Result<(), String> {
    let out = Command::new("chrt").args(arguments).output();
    let out = out.map_err(|e| format!("chrt (of util-linux) does not start: {e}"))?;
    if out.status.success() {
        Ok(())
    } else {
        let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Err(format!(
            "chrt {}: {why} (--priority needs root)",
            arguments.join(" ")
        ))
    }
}

/// An address of the loopback interface that was free a moment ago.
pub fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| format!("no free port on the loopback interface: {e}"))
}

/// Says where this process serves, and ends the process when the driver that started it is gone.
pub fn announce(address: SocketAddr) {
    println!("listening on {address}");
    let _ = io::stdout().flush();
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// What a process and all below it have used since they started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Time on a core, to the nanosecond (schedstat; the ticks of `stat` are ten milliseconds).
    pub cpu: Duration,
    /// Page faults that needed no disk.
    pub minor_faults: u64,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// The most that was resident, in bytes.
    pub peak: u64,
    /// Open descriptors now.
    pub descriptors: u64,
}

impl Usage {
    /// The process `pid` and its children; all zero when there is none.
    pub fn of(pid: u32) -> Self {
        let root = format!("/proc/{pid}");
        let mut usage = Self::own(Path::new(&root));
        for task in entries(&format!("{root}/task")) {
            let read = |file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
            let on_core = read("schedstat")
                .split(' ')
                .next()
                .and_then(|ns| ns.parse().ok());
            usage.cpu += Duration::from_nanos(on_core.unwrap_or(0));
            for child in read("children").split_whitespace() {
                if let Ok(child) = child.parse() {
                    usage = usage.plus(Self::of(child));
                }
            }
        }
        usage
    }

    fn own(root: &Path) -> Self {
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
        let status = read("status");
        let bytes = |label: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(label));
            let kib = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
            kib.unwrap_or(0) << 10
        };
        // After the name, which is in parentheses and may hold anything: state, then the numbers from field 4 on.
        let stat = read("stat");
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        Self {
            cpu: Duration::ZERO,
            minor_faults: fields
                .split_whitespace()
                .nth(7)
                .and_then(|n| n.parse().ok())
                .unwrap_or(0),
            resident: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
            descriptors: entries(&root.join("fd").to_string_lossy()).len() as u64,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            minor_faults: self.minor_faults + other.minor_faults,
            resident: self.resident + other.resident,
            peak: self.peak + other.peak,
            descriptors: self.descriptors + other.descriptors,
        }
    }
}

fn entries(dir: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_this_process_is_seen_and_of_none_is_nothing() {
        let usage = Usage::of(std::process::id());
        assert!(usage.cpu > Duration::ZERO);
        assert!(usage.resident > 0 && usage.peak >= usage.resident / 2);
        assert!(usage.descriptors >= 3);
        assert!(usage.minor_faults > 0);
        assert_eq!(Usage::of(u32::MAX), Usage::default());
    }

    #[test]
    fn a_program_that_ends_at_once_is_told_with_its_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such luck >&2; exit 3"]);
        let error = Server::program("sh", command, free_address().unwrap()).unwrap_err();
        assert!(error.contains("no such luck"), "{error}");
    }

    #[test]
    fn a_server_is_found_by_its_announcement_and_stopped_by_the_drop() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo listening on 127.0.0.1:9; exec cat"]);
        let server = Server::announcing("cat", command).unwrap();
        assert_eq!(server.address.port(), 9);
        let pid = server.pid();
        drop(server);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn pinning_is_undone() {
        let before = sched_getaffinity(None).unwrap();
        let core = Cores::split().client;
        let inside = on_core(core, || sched_getaffinity(None).unwrap()).unwrap();
        assert_eq!(inside.count(), 1);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
