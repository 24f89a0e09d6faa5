//! Programs of others: where they are, which version, and how to get those that are missing.

use std::{cell::RefCell, env, path::PathBuf, process::Command};

/// A program that a suite can compare with or use.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The program.
    pub name: &'static str,
    /// What makes it print its version.
    pub version: &'static [&'static str],
    /// How to get it.
    pub install: &'static str,
}

/// The programs the suites know.
pub const TOOLS: &[Tool] = &[
    tool("caddy", &["version"], "apt-get install caddy"),
    tool("chromium", &["--version"], "apt-get install chromium"),
    tool("go", &["version"], "apt-get install golang-go"),
    tool("h2load", &["--version"], "apt-get install nghttp2-client"),
    tool("h2o", &["--version"], "apt-get install h2o"),
    tool("haproxy", &["-v"], "apt-get install haproxy"),
    tool("ip", &["-V"], "apt-get install iproute2"),
    tool("lighttpd", &["-v"], "apt-get install lighttpd"),
    tool("nghttpd", &["--version"], "apt-get install nghttp2-server"),
    tool("nghttpx", &["--version"], "apt-get install nghttp2-proxy"),
    tool("nginx", &["-v"], "apt-get install nginx"),
    tool("strace", &["--version"], "apt-get install strace"),
    tool("tc", &["-V"], "apt-get install iproute2"),
    tool("unshare", &["--version"], "apt-get install util-linux"),
    tool("valgrind", &["--version"], "apt-get install valgrind"),
    tool("wrk", &["--version"], "apt-get install wrk"),
];

const fn tool(name: &'static str, version: &'static [&'static str], install: &'static str) -> Tool {
    Tool {
        name,
        version,
        install,
    }
}

thread_local! {
    static MISSING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static FOUND: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The path of an installed program. One that is missing is said loudly, with how to install it, and is named in the
/// report of this run.
pub fn find(name: &str) -> Option<PathBuf> {
    let known = TOOLS.iter().find(|tool| tool.name == name);
    let dirs = env::var_os("PATH").unwrap_or_default();
    // Where Debian puts servers, which is not on every user's path.
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let path = env::split_paths(&dirs)
        .chain(more)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    match (&path, known) {
        (Some(path), Some(tool)) => {
            note(&FOUND, version(path, tool));
        }
        (Some(_), None) => {}
        (None, _) => {
            let how = known.map_or("it is in no list of ours", |tool| tool.install);
            missing(name, &format!("not installed ({how})"));
        }
    }
    path
}

/// Says loudly, and in the report, that something is not compared and why.
pub fn missing(name: &str, why: &str) {
    let line = format!("{name}: {why}");
    if note(&MISSING, line.clone()) {
        eprintln!("NOT COMPARED: {line}");
    }
}

/// The programs that were found by [`find`], with their versions, and those that were missing.
pub(crate) fn seen() -> (Vec<String>, Vec<String>) {
    (
        FOUND.with_borrow(Clone::clone),
        MISSING.with_borrow(Clone::clone),
    )
}

fn note(list: &'static std::thread::LocalKey<RefCell<Vec<String>>>, line: String) -> bool {
    list.with_borrow_mut(|list| {
        let new = !list.contains(&line);
        if new {
            list.push(line);
        }
        new
    })
}

fn version(path: &PathBuf, tool: &Tool) -> String {
    let out = Command::new(path).args(tool.version).output();
    let text = out.map_or_else(
        |_| String::new(),
        |out| {
            let both = [out.stdout, out.stderr].concat();
            String::from_utf8_lossy(&both).into_owned()
        },
    );
    let line = text
        .lines()
        .find(|line| line.bytes().any(|b| b.is_ascii_digit()));
    format!(
        "{}: {}",
        tool.name,
        line.unwrap_or("unknown version").trim()
    )
}
