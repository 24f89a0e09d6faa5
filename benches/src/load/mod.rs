//! The load generator: HTTP/1.1 with pipelining and HTTP/2, as fast as the server answers or at a constant rate.
//!
//! Every answer is checked. Connections are opened before the first request, kept alive, and opened again when the
//! server closes them between two requests, as the protocols allow; anything else that goes wrong is an error.
//!
//! ```text
//! Plan ──► threads ──► connections: Worker ─► Wire (Http1 | Http2, bytes in and out)
//!                                      └────► Outcome (HDR histograms, errors)
//! ```

mod command;
mod connection;
mod drive;
mod hpack;
mod http1;
mod http2;
mod outcome;
mod plan;
mod target;
#[cfg(test)]
mod tests;
mod wire;
mod worker;

use std::{sync::Arc, thread, time::Duration, time::Instant};

use drive::{Phase, Thread};

pub(crate) use command::{Options, run as run_command};
pub use outcome::Outcome;
pub use plan::{Ask, Pace, Plan, Protocol, Span};

use crate::process::Usage;

/// Runs a load to its end on the calling thread, or on as many as the plan says.
///
/// # Errors
///
/// When the plan makes no sense, and when the server cannot be reached. Wrong answers are counted in the outcome;
/// [`Outcome::checked`] makes them an error.
pub fn run(plan: &Plan) -> Result<Outcome, String> {
    plan.check()?;
    let plan = Arc::new(plan.clone());
    let shares: Vec<Vec<usize>> = (0..plan.threads)
        .map(|thread| (thread..plan.connections).step_by(plan.threads).collect())
        .collect();
    if let [only] = shares.as_slice() {
        let mut thread = Thread::open(&plan, only.clone())?;
        return phases(&plan, |phase| thread.run(phase));
    }
    phases_of_many(&plan, shares)
}

/// The warm-up, and the load that counts.
fn phases(
    plan: &Plan,
    mut run: impl FnMut(&Arc<Phase>) -> Result<Outcome, String>,
) -> Result<Outcome, String> {
    if plan.warm_up > Duration::ZERO {
        run(&Phase::new(Span::Time(plan.warm_up)))?;
    }
    let cpu = |pid: Option<u32>| pid.map_or(Duration::ZERO, |pid| Usage::of(pid).cpu);
    let (before, start) = (cpu(plan.pid), Instant::now());
    let mut outcome = run(&Phase::new(plan.span))?;
    outcome.elapsed = start.elapsed();
    outcome.cpu = cpu(plan.pid).saturating_sub(before);
    Ok(outcome)
}

fn phases_of_many(plan: &Arc<Plan>, shares: Vec<Vec<usize>>) -> Result<Outcome, String> {
    let open = |share| Thread::open(plan, share);
    let mut threads = shares
        .into_iter()
        .map(open)
        .collect::<Result<Vec<_>, _>>()?;
    phases(plan, |phase| {
        thread::scope(|scope| {
            let running: Vec<_> = threads
                .iter_mut()
                .map(|thread| scope.spawn(|| thread.run(phase)))
                .collect();
            let mut sum = Outcome::new(plan.asks.len())?;
            for thread in running {
                let seen = thread
                    .join()
                    .map_err(|_| "a thread of the load generator panicked".to_owned())??;
                sum.add(&seen)?;
            }
            Ok(sum)
        })
    })
}
