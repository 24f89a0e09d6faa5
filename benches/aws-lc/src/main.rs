//! Measures TLS handshakes by aws-lc-rs: `bench-aws-lc ROUNDS [KIND CHAIN KEY]...`, with chains and keys as PEM text.
//! Says one line for each version and key: its name and three lists of samples in microseconds, between tabs.

#[path = "../../src/suites/hotswap/handshakes/measure.rs"]
mod measure;

use std::{env, process::ExitCode, sync::Arc, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::measure::{Identity, Timing, measure};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut words = env::args().skip(1);
    let rounds = words.next().and_then(|word| word.parse().ok());
    let rounds = rounds.ok_or("the first argument is how many rounds of handshakes to make")?;
    let mut identities = Vec::new();
    while let Some(key_kind) = words.next() {
        let (Some(chain), Some(key)) = (words.next(), words.next()) else {
            return Err(format!("{key_kind} wants a certificate chain and a key"));
        };
        identities.push(Identity {
            key_kind,
            chain,
            key,
        });
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let timing = Timing { rounds, now };
    for measured in measure(&provider, &identities, timing)? {
        let lists = measured.samples.map(|samples| {
            let texts: Vec<String> = samples.iter().map(f64::to_string).collect();
            texts.join(" ")
        });
        println!("{}\t{}", measured.name, lists.join("\t"));
    }
    Ok(())
}

/// This thread's time on the processor.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
