//! The server as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A running server; dropping it kills the process.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Everything printed before the address was, and that line.
    pub(crate) banner: String,
    log: Receiver<String>,
}

/// The program with no environment but what the test sets.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(arguments).env_clear().stdin(Stdio::null());
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
        let mut command = program(&["--listen", "127.0.0.1:0"]);
        let mut child = command
            .args(arguments)
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
        let address = loop {
            let start = banner.len();
            let read = stdout.read_line(&mut banner).expect("the banner is UTF-8");
            assert_ne!(
                read,
                0,
                "no address in the banner {banner:?}; log: {:?}",
                log.iter().collect::<Vec<_>>()
            );
            if let Some(rest) = banner[start..].strip_prefix("listening on ") {
                let address = rest.split(',').next().unwrap_or_default();
                break address
                    .parse()
                    .unwrap_or_else(|_| panic!("{address:?} is no address"));
            }
        };
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = stdout.read_to_end(&mut rest);
        });
        Server {
            child,
            address,
            banner,
            log,
        }
    }

    /// Waits for a log line that contains `part`, and returns it.
    pub(crate) fn logged(&self, part: &str) -> String {
        let mut seen = Vec::new();
        for line in &self.log {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("the server ended without logging {part:?}, but {seen:#?}");
    }

    /// Sends a signal by its name ("TERM", "INT").
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .expect("kill is on every unix");
        assert!(status.success(), "kill -s {name} {id}: {status}");
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("the child is ours")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `wait` there is nothing left to kill, which is no error worth a panic in a drop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
