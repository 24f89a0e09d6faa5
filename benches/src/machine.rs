//! What a result is worthless without: machine, compiler, commit, command.

use std::{env, fs, process::Command, thread};

use serde::{Deserialize, Serialize};

/// The compiler that made this binary.
pub const RUSTC: &str = env!("BENCHES_RUSTC");

/// Where and with what a result was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Provenance {
    /// What was typed.
    pub command: String,
    /// The commit, and whether there were changes beside it.
    pub commit: String,
    /// The compiler.
    pub rustc: String,
    /// The processor.
    pub cpu: String,
    /// How many of them may be used.
    pub cpus: usize,
    /// The first core's data caches.
    pub caches: String,
    /// The release of Linux.
    pub kernel: String,
}

impl Provenance {
    /// Describes the running process and its machine; what cannot be read says `unknown`.
    pub fn here() -> Self {
        let mut command = vec!["cargo run --release -p benches --".to_owned()];
        command.extend(env::args().skip(1).map(quoted));
        Self {
            command: command.join(" "),
            commit: commit(),
            rustc: RUSTC.to_owned(),
            cpu: cpu(),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            caches: caches(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".into(), |text| text.trim().to_owned()),
        }
    }

    /// The same as a Markdown list.
    pub fn markdown(&self) -> String {
        format!(
            "- Command: `{}`\n- Commit: `{}`\n- Compiler: {}\n- Machine: {}, {} CPUs visible, caches {}; Linux {}\n",
            self.command, self.commit, self.rustc, self.cpu, self.cpus, self.caches, self.kernel
        )
    }
}

/// An argument as a shell wants it.
fn quoted(argument: String) -> String {
    if argument.contains(' ') {
        format!("'{argument}'")
    } else {
        argument
    }
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    out.status.success().then(|| text.trim().to_owned())
}

fn commit() -> String {
    let Some(hash) = output("git", &["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".into();
    };
    // A suite's saved results do not change what the next one measures.
    let measured = ["--", ":/", ":(top,exclude)benches/results"];
    let status = ["status", "--porcelain", "--untracked-files=no"];
    match output("git", &[&status[..], &measured].concat()) {
        Some(changes) if changes.is_empty() => hash,
        _ => format!("{hash} with uncommitted changes"),
    }
}

fn cpu() -> String {
    fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let field = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name))?;
                Some(line.split_once(':')?.1.trim().to_owned())
            };
            Some(format!(
                "{} (family {} model {})",
                field("model name")?,
                field("cpu family")?,
                field("model")?
            ))
        })
        .unwrap_or_else(|| "unknown CPU".into())
}

fn caches() -> String {
    let mut found = Vec::new();
    for index in 0..8 {
        let read = |file: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}");
            fs::read_to_string(path).map(|text| text.trim().to_owned())
        };
        if let (Ok(level), Ok(kind), Ok(size)) = (read("level"), read("type"), read("size"))
            && kind != "Instruction"
        {
            found.push(format!("L{level} {size}"));
        }
    }
    if found.is_empty() {
        "unknown".into()
    } else {
        found.join(", ")
    }
}
