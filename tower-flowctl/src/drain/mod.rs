//! Ending in order: no newcomers, then whoever is idle, then whoever is done, then a deadline.
//!
//! [`Admission::drain`] closes the listening sockets, so that a load balancer sees refused connections at once; asks
//! every connection to end, as [`reclaim`](crate::reclaim) does; waits; and at the deadline resets the rest and says what
//! they were in the middle of.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tower_flowctl::admission::{Admission, CountRequests};
//!
//! let admission = Admission::builder().build()?;
//! let listener = admission.listener(tokio::net::TcpListener::bind("[::]:8080").await?);
//! let app: axum::Router = axum::Router::new();
//! tokio::select! {
//!     never = axum::serve(listener, CountRequests::new(app)).into_future() => never?,
//!     _ = tokio::signal::ctrl_c() => {}
//! }
//! let report = admission.drain(Duration::from_secs(30)).await;
//! for cut in &report.cut {
//!     eprintln!("cut: {cut:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `axum::serve` may be dropped first, as here: connections run in tasks of their own.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{task::yield_now, time::Instant};

use crate::{
    admission::{Admission, Connection, Core, Cut, Shared},
    later::later,
};

/// What became of the connections of a drained server.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DrainReport {
    /// Connections at the beginning.
    pub open: usize,
    /// Those that ended in order.
    pub finished: usize,
    /// Those that were reset at the deadline.
    pub cut: Vec<CutConnection>,
    /// How long it took.
    pub took: Duration,
}

/// A connection that was reset at the deadline of a drain.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CutConnection {
    /// The client.
    pub ip: Option<IpAddr>,
    /// The name of its class.
    pub class: &'static str,
    /// How long it was open.
    pub age: Duration,
    /// How long nothing had gone in or out.
    pub silent: Duration,
    /// Requests that were being answered.
    pub in_flight: u32,
}

/// How a drain gets on, or got on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DrainSnapshot {
    /// Connections at its beginning.
    pub open: usize,
    /// Those that were reset at its deadline.
    pub cut: usize,
    /// For how long it has lasted, or did: until the last that was asked for had ended, or was given up. One that finds nobody left
    /// adds nothing.
    pub took: Duration,
}

/// What is known of the drain of a server. One that is asked for again, or anew after it was given up, is still the same.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: Instant,
    open: usize,
    cut: usize,
    /// How many have asked for it and wait.
    waiting: usize,
    took: Option<Duration>,
}

impl Progress {
    fn new(begun: Instant, open: usize) -> Self {
        Self {
            begun,
            open,
            cut: 0,
            waiting: 0,
            took: None,
        }
    }

    pub(crate) fn snapshot(&self) -> DrainSnapshot {
        DrainSnapshot {
            open: self.open,
            cut: self.cut,
            took: self.took.unwrap_or_else(|| self.begun.elapsed()),
        }
    }
}

/// Somebody who waits for the drain. Dropping it stops the drain's clock, if there is no other.
struct Waiting<'a>(&'a Core);

impl<'a> Waiting<'a> {
    fn new(core: &'a Core, begun: Instant, open: usize) -> Self {
        let mut drain = core.drain();
        let progress = drain.get_or_insert_with(|| Progress::new(begun, open));
        progress.waiting += 1;
        if open > 0 {
            // It goes on.
            progress.took = None;
        }
        Self(core)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(progress) = &mut *self.0.drain() {
            progress.waiting -= 1;
            if progress.waiting == 0 {
                let begun = progress.begun;
                progress.took.get_or_insert_with(|| begun.elapsed());
            }
        }
    }
}

/// Idle connections that end at once, so that active ones get on meanwhile.
const AT_ONCE: usize = 32;

impl CutConnection {
    fn of(connection: &Connection) -> Self {
        Self {
            ip: connection.ip(),
            class: connection.class(),
            age: connection.age(),
            silent: connection.silent(),
            in_flight: connection.in_flight(),
        }
    }
}

impl Admission {
    /// Drains the server: closes its listening sockets, has all connections end when their requests are answered, and resets
    /// those that have not by the deadline. Connections whose requests nobody counts wait for the deadline.
    ///
    /// A second drain only waits for the rest with a deadline of its own.
    ///
    /// # Cancellation
    /// What was asked for stands; nothing is reset.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        let begun = Instant::now();
        let core = self.core();
        self.ensure_maintained();
        core.begin_drain();
        let all: Vec<Arc<Shared>> = core.table().iter().cloned().collect();
        let open = all.len();
        let _waiting = Waiting::new(core, begun, open);
        for some in all.chunks(AT_ONCE) {
            some.iter()
                .for_each(|connection| connection.close(Cut::Drained));
            yield_now().await;
        }
        drop(all);
        self.ended(later(begun, deadline)).await;
        let rest: Vec<Connection> = core.table().iter().cloned().map(Connection).collect();
        let cut: Vec<CutConnection> = rest.iter().map(CutConnection::of).collect();
        let is_cut = |connection: &&Connection| connection.0.reset(Cut::Drained);
        let newly_cut = rest.iter().filter(is_cut).count();
        if let Some(progress) = &mut *core.drain() {
            progress.cut += newly_cut;
        }
        drop(rest);
        // Their tasks still have to notice; a task that does not run cannot be waited for forever.
        let close_grace = core.limits.load().close_grace;
        self.ended(later(Instant::now(), close_grace)).await;
        DrainReport {
            open,
            finished: open.saturating_sub(cut.len()),
            cut,
            took: begun.elapsed(),
        }
    }

    async fn ended(&self, latest: Instant) {
        while self.core().open() > 0 && Instant::now() < latest {
            self.core()
                .released(latest, || self.core().open() == 0)
                .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::timeout,
    };

    use super::*;
    use crate::admission::{AdmittedStream, Limits};

    /// Of whoever sends it byte by byte, or no more of it.
    #[tokio::test(start_paused = true)]
    async fn half_a_head_holds_a_drain_up_for_its_deadline_only() {
        let limits = Limits::none().header(Duration::from_secs(20));
        let admission = Admission::builder().limits(limits).build().unwrap();
        tokio::spawn(admission.maintain());
        let (io, mut client) = duplex(64);
        let place = admission.core().enter(0).take(None, &Default::default());
        let mut stream = AdmittedStream::new(io, Vec::new(), place, &admission.limits());
        let connection = stream.connection();
        connection.established();
        tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        client.write_all(b"GET / HT").await.unwrap();
        while connection.bytes().0 == 0 {
            yield_now().await;
        }
        let drain = admission.drain(Duration::MAX);
        let report = timeout(Duration::from_secs(60), drain).await;
        let report = report.expect("the end of the drain");
        assert_eq!((report.open, report.cut.len()), (1, 0));
        assert_eq!(report.took.as_secs(), 20);
    }

    fn stuck(admission: &Admission) -> AdmittedStream<tokio::io::DuplexStream> {
        let place = admission.core().enter(0).take(None, &Default::default());
        AdmittedStream::new(duplex(64).0, Vec::new(), place, &admission.limits())
    }

    fn unlimited() -> Admission {
        let limits = Limits::none();
        Admission::builder().limits(limits).build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn drains_beside_each_other_count_a_connection_once() {
        let admission = unlimited();
        tokio::spawn(admission.maintain());
        let stream = stuck(&admission);
        let second = Duration::from_secs(1);
        let reports = tokio::join!(admission.drain(second), admission.drain(second));
        assert_eq!((reports.0.cut.len(), reports.1.cut.len()), (1, 1));
        let drain = admission.snapshot().drain.unwrap();
        assert_eq!((drain.open, drain.cut), (1, 1));
        drop(stream);
    }

    #[tokio::test(start_paused = true)]
    async fn its_clock_stops_when_nobody_waits_for_it() {
        let admission = unlimited();
        tokio::spawn(admission.maintain());
        let stream = stuck(&admission);
        let took = || admission.snapshot().drain.unwrap().took.as_secs();
        let pause = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;
        let given_up = timeout(Duration::from_secs(2), admission.drain(Duration::MAX)).await;
        assert!(given_up.is_err());
        pause(3600).await;
        assert_eq!(took(), 2, "it was given up");
        let again = admission.drain(Duration::from_secs(10));
        let leave = async {
            pause(1).await;
            assert_eq!(took(), 3603, "it goes on");
            drop(stream);
        };
        let (report, ()) = tokio::join!(again, leave);
        assert_eq!(report.finished, 1);
        assert_eq!(took(), 3603);
        pause(3600).await;
        admission.drain(Duration::ZERO).await;
        assert_eq!(took(), 3603, "nobody was left");
    }
}
