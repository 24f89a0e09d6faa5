//! The browser.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::tools;

/// Where it is.
pub(super) struct Chromium(PathBuf);

/// A running browser with a new profile. Dropped, it and its processes are ended and the profile is removed.
pub(super) struct Tab {
    child: Child,
    profile: PathBuf,
}

/// The browser, if it is installed; that it is not is said loudly.
pub(super) fn find() -> Option<Chromium> {
    tools::find("chromium").map(Chromium)
}

impl Chromium {
    pub(super) fn open(&self, url: &str) -> Result<Tab, String> {
        static TABS: AtomicU32 = AtomicU32::new(0);
        let tab = TABS.fetch_add(1, Ordering::Relaxed);
        let profile = env::temp_dir().join(format!("benches-browser-{}-{tab}", std::process::id()));
        let child = Command::new(&self.0)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                "--ignore-certificate-errors",
                "--window-size=1000,700",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, since it is many processes.
            .process_group(0)
            .spawn()
            .map_err(|e| format!("chromium does not start: {e}"))?;
        Ok(Tab { child, profile })
    }
}

impl Tab {
    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // Its profile is removed anyway, so it has nothing to save.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
