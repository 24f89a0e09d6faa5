//! Waits that end: what does not come is a failure with a name, and not a test that hangs.

use std::time::{Duration, Instant};

/// How long anything that is sure to come may take, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// It is the server that has to get on.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks again until there is what is waited for. What was seen in its place is for the message, should it never come.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(seen) => assert!(begun.elapsed() < PATIENCE, "not {what}, but {seen}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`until`], for a test without a runtime.
#[cfg(target_os = "linux")]
pub(crate) fn until_blocking<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(seen) => assert!(begun.elapsed() < PATIENCE, "not {what}, but {seen}"),
        }
        std::thread::sleep(PAUSE);
    }
}
