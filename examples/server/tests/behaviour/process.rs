//! The server as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
#[cfg(unix)]
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use crate::waiting::PATIENCE;

/// A running server; dropping it kills the process.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    tls: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    /// Everything printed at the start.
    pub(crate) banner: String,
    log: Receiver<String>,
    scratch: tempfile::TempDir,
}

/// The program on free ports, with no environment but that and what the test sets.
pub(crate) fn program(arguments: &[&str]) -> Command {
    program_at(Path::new(env!("CARGO_BIN_EXE_server")), arguments)
}

/// As [`program`], of a copy of it.
pub(crate) fn program_at(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(arguments).env_clear().stdin(Stdio::null());
    for port in ["SERVER_LISTEN", "SERVER_TLS_LISTEN", "SERVER_ADMIN_LISTEN"] {
        command.env(port, "127.0.0.1:0");
    }
    command
}

/// Runs the program to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command
        .output()
        .expect("the program was built with the tests")
}

impl Server {
    /// Starts on a free port and waits until the banner says which.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Server::run(&mut program(arguments))
    }

    /// As [`start`](Self::start), of a command that was set up further.
    pub(crate) fn run(command: &mut Command) -> Server {
        // What a process that is killed leaves goes with this.
        let scratch = tempfile::tempdir().expect("there is room for temporary files");
        let mut child = command
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built with the tests");

        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The test may have finished and dropped the receiver; the pipe is still to be emptied.
                let _ = sender.send(line);
            }
        });

        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut banner = String::new();
        while !banner.ends_with("server --help\n") {
            let read = stdout.read_line(&mut banner).expect("the banner is UTF-8");
            assert_ne!(
                read,
                0,
                "no whole banner but {banner:?}; log: {:?}",
                log.iter().collect::<Vec<_>>()
            );
        }
        let address = |port: &str| {
            let line = banner
                .lines()
                .find_map(|line| line.strip_prefix(&format!("listening {port} ")))?;
            let address = line.split(',').next().unwrap_or_default();
            let parsed = address.parse();
            Some(parsed.unwrap_or_else(|_| panic!("{address:?} is no address")))
        };
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = stdout.read_to_end(&mut rest);
        });
        Server {
            child,
            address: address("on").expect("the banner has the address"),
            tls: address("for TLS on"),
            admin: address("for the admin on"),
            banner,
            log,
            scratch,
        }
    }

    /// Where TLS is spoken.
    pub(crate) fn tls(&self) -> SocketAddr {
        self.tls.expect("the TLS port is on")
    }

    /// Where the dashboard is.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("the admin port is on")
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log line that contains `part`, and returns it.
    pub(crate) fn logged(&self, part: &str) -> String {
        let begun = Instant::now();
        let mut seen = Vec::new();
        loop {
            match self
                .log
                .recv_timeout(PATIENCE.saturating_sub(begun.elapsed()))
            {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server ended without logging {part:?}, but {seen:#?}")
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the server does not log {part:?}, but {seen:#?}")
                }
            }
        }
    }

    /// Sends a signal by its name ("TERM", "INT").
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Ends the process as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is still running");
        self.child.wait().expect("the child is ours");
    }

    /// The process that this one has started in its place; it is killed when the value is dropped.
    #[cfg(target_os = "linux")]
    pub(crate) fn successor(&mut self) -> Successor {
        self.listening_after(self.id())
    }

    /// As [`successor`](Self::successor), of that one.
    #[cfg(target_os = "linux")]
    pub(crate) fn successor_of(&mut self, second: &Successor) -> Successor {
        self.listening_after(second.id())
    }

    #[cfg(target_os = "linux")]
    fn listening_after(&self, before: u32) -> Successor {
        loop {
            let started = self.logged("listening");
            let id = figure(&started, "process=").parse();
            let id = id.expect("it is a number");
            // That one has said so, too.
            if id != before {
                let address = figure(&started, "address=").parse();
                let address = address.expect("it is an address");
                return Successor { id, address };
            }
        }
    }

    /// The id of the process that was started in place of this one and waits for its end.
    #[cfg(target_os = "linux")]
    pub(crate) fn awaited_by(&self) -> u32 {
        let waits = self.logged("waiting for the process before");
        figure(&waits, "process=").parse().expect("it is a number")
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.ended()
    }

    /// As [`wait`](Self::wait), for who looks at what it left.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("the child is ours")
    }

    /// The names of its temporary files and folders.
    pub(crate) fn left_behind(&self) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(self.scratch.path()).expect("the folder is ours");
        let names = entries.map(|entry| entry.expect("it can be read").file_name());
        names.collect()
    }
}

/// What a log line has behind a name.
#[cfg(target_os = "linux")]
fn figure<'a>(line: &'a str, name: &str) -> &'a str {
    let rest = line.split_once(name);
    let value = rest.and_then(|(_, rest)| rest.split_whitespace().next());
    value.unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// Waits until nobody listens at an address: the server that did has closed its port.
#[cfg(unix)]
pub(crate) fn closed(address: SocketAddr) {
    let begun = Instant::now();
    // Who comes before the port is closed is let in, and closed when it says nothing.
    while TcpStream::connect(address).is_ok() {
        // Who has got the same port meanwhile is another test's server, which does not stay for so long.
        assert!(begun.elapsed() < PATIENCE, "{address} is listened on");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Sends a process a signal by its name ("TERM", "INT").
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()
        .expect("kill is on every unix");
    assert!(status.success(), "kill -s {name} {process}: {status}");
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `wait` there is nothing left to kill, which is no error worth a panic in a drop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that was started by one that the test started.
pub(crate) struct Successor {
    id: u32,
    pub(crate) address: SocketAddr,
}

impl Successor {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// As [`Server::signal`].
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id, name);
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-s", "KILL", &self.id.to_string()])
            .status();
    }
}
