//! Progress of long runs: a bar on a terminal, nothing where the output goes elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that is gone when it is dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar of `steps` steps.
    pub fn new(title: &str, steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let style = "{prefix} {wide_bar} {pos}/{len}, {eta} left, {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_owned());
        Self(bar)
    }

    /// Says what is measured now, and counts it.
    pub fn step(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
