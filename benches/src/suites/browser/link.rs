//! The link: the loopback interface of a network namespace of our own.

use std::{env, ffi::OsString, process::Command};

use crate::tools;

/// How results name it.
pub(super) const DESCRIPTION: &str =
    "20 Mbit/s by tbf with a queue of 50 ms, packets of 1,500 bytes, no other delay";

/// Set within the namespace.
const MARK: &str = "BENCHES_LINK";

/// For `sh`, with this program and its arguments as its own.
const SCRIPT: &str = "
set -e
ip link set lo mtu 1500 up
tc qdisc add dev lo root tbf rate 20mbit burst 8kb latency 50ms
exec \"$@\"
";

pub(super) fn is_shaped() -> bool {
    env::var_os(MARK).is_some()
}

/// Runs this program again with a shaped link. Without the right to it that is said, and nothing is measured.
pub(super) fn again_when_shaped() -> Result<(), String> {
    for program in ["unshare", "ip", "tc"] {
        if tools::find(program).is_none() {
            return Ok(());
        }
    }
    let exe = env::current_exe().map_err(|e| format!("this binary's own path: {e}"))?;
    let flags = if rustix::process::geteuid().is_root() {
        "--net"
    } else {
        "--map-root-user --net"
    };
    let namespace = || {
        let mut command = Command::new("unshare");
        command
            .args(flags.split(' '))
            .args(["sh", "-c", SCRIPT, "sh"]);
        command
    };
    let allowed = namespace()
        .arg("true")
        .output()
        .map_err(|e| format!("unshare: {e}"))?;
    if !allowed.status.success() {
        let why = String::from_utf8_lossy(&allowed.stderr);
        tools::missing(
            "a link of 20 Mbit/s",
            &format!("no network namespace: {}", why.trim()),
        );
        return Ok(());
    }
    let status = namespace()
        .arg(exe)
        .args(env::args_os().skip(1).map(only_this_suite))
        .env(MARK, "shaped")
        .status()
        .map_err(|e| format!("unshare: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("within the namespace: {status}")),
    }
}

/// Within `all`, the suites before this one have had their turn.
fn only_this_suite(argument: OsString) -> OsString {
    if argument == "all" {
        "browser".into()
    } else {
        argument
    }
}
