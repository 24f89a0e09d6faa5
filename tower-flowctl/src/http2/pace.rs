//! How much may be on its way below the scheduler.
//!
//! What hyper and the socket already hold goes out before anything more urgent, so it should be little; but each grant
//! costs some work, so it should not be less than is noticed. Both is settled in time, not in bytes: about
//! [`AHEAD`] of what the connection carries. A slow connection then gets pieces of a few kilobytes, a fast one of a quarter
//! megabyte.
//!
//! The rate is measured where it shows: between two moments at which the socket was full, with something to send all the
//! while. A socket that is never full is faster than we are, and the allowance doubles until it is.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::SMALLEST_MAX_PAYLOAD;

/// The least granted at once while others wait, in bytes.
pub(crate) const SMALLEST_PIECE: usize = 4 << 10;

/// The least and the most on its way, in bytes.
const RANGE: (usize, usize) = (SMALLEST_PIECE, 256 << 10);

/// Before anything is known.
const INITIAL: usize = 16 << 10;

/// What is on its way should have left after so long.
const AHEAD: Duration = Duration::from_millis(2);

/// The same for the socket of a connection that is faster than the range of pieces reaches, and the least and the most
/// that this comes to, in bytes. Less would have the server wait for the client's process, not for the network.
const FAST_AHEAD: Duration = Duration::from_millis(16);
const FAST_MARKS: (usize, usize) = (1 << 20, 4 << 20);

/// The shortest time that says something about the rate.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    /// Bytes a second; 0 is unknown.
    rate: f64,
    /// When the socket was full, and whether there was something to send ever since.
    full_at: Option<Instant>,
    /// Bytes taken since then.
    taken: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            limit: INITIAL,
            rate: 0.0,
            full_at: None,
            taken: 0,
        }
    }
}

impl Pace {
    /// Bytes that may be on their way before no more are granted.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The most granted at once while others wait: whole frames, where there is room for more than one.
    pub(crate) fn quantum(&self) -> usize {
        let quarter = self.limit / 4;
        if quarter > SMALLEST_MAX_PAYLOAD {
            quarter - quarter % SMALLEST_MAX_PAYLOAD
        } else {
            quarter.max(SMALLEST_PIECE)
        }
    }

    /// For `TCP_NOTSENT_LOWAT`: what the socket should hold unsent before it takes more. The kernel wakes the
    /// writer at half of it, so that on a fast connection a low mark costs a wake-up for every few frames; there it is
    /// what goes in [`FAST_AHEAD`].
    pub(crate) fn low_water_mark(&self) -> usize {
        if self.limit == RANGE.1 {
            let ahead = (self.rate * FAST_AHEAD.as_secs_f64()) as usize;
            ahead.clamp(FAST_MARKS.0, FAST_MARKS.1)
        } else {
            self.limit
        }
    }

    /// The socket took so many bytes.
    pub(crate) fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= 8 * self.limit {
            self.grow();
        }
    }

    /// There is nothing to send for a while: what was taken says nothing of the rate. But a socket that took a good deal more
    /// than the allowance at a stretch, and was not full, is faster than that.
    pub(crate) fn ran_dry(&mut self) {
        if self.taken >= 2 * self.limit {
            self.grow();
        }
        self.full_at = None;
        self.taken = 0;
    }

    fn grow(&mut self) {
        if self.full_at.is_none() {
            self.taken = 0;
            self.limit = (2 * self.limit).min(RANGE.1);
        }
    }

    /// The socket takes no more for now.
    pub(crate) fn full(&mut self, now: Instant) {
        let Some(since) = self.full_at else {
            self.full_at = Some(now);
            self.taken = 0;
            return;
        };
        let elapsed = now.saturating_duration_since(since);
        if elapsed < SHORTEST_SAMPLE || self.taken == 0 {
            return;
        }
        let sample = self.taken as f64 / elapsed.as_secs_f64();
        self.rate = if self.rate == 0.0 {
            sample
        } else {
            self.rate + (sample - self.rate) / 4.0
        };
        self.full_at = Some(now);
        self.taken = 0;
        let ahead = (self.rate * AHEAD.as_secs_f64()) as usize;
        self.limit = ahead.clamp(RANGE.0, RANGE.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that carries `rate` bytes a second and holds `buffer`, kept busy for a second.
    fn pace_at(rate: usize, buffer: usize) -> Pace {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for _ in 0..1000 {
            let step = Duration::from_millis(1);
            pace.took((rate / 1000).min(buffer));
            now += step;
            pace.full(now);
        }
        pace
    }

    #[test]
    fn two_milliseconds_are_on_their_way() {
        for (rate, expected) in [
            (125_000, 4 << 10),
            (2_500_000, 5_000),
            (12_500_000, 25_000),
            (1_000_000_000, 256 << 10),
        ] {
            let pace = pace_at(rate, 1 << 30);
            assert_eq!(pace.limit(), expected, "{rate} bytes/s");
        }
    }

    #[test]
    fn sockets_hold_little_unless_they_are_fast() {
        for (rate, expected) in [
            (2_500_000, 5_000),
            (131_072_000, 2 << 20),
            (200_000_000, 3_200_000),
            (4_000_000_000, 4 << 20),
        ] {
            let pace = pace_at(rate, 1 << 30);
            assert_eq!(pace.low_water_mark(), expected, "{rate} bytes/s");
        }
    }

    #[test]
    fn a_socket_that_is_never_full_gets_the_most() {
        let mut pace = Pace::default();
        for _ in 0..200 {
            pace.took(16 << 10);
        }
        assert_eq!(pace.limit(), 256 << 10);
    }

    #[test]
    fn so_does_one_that_takes_much_at_a_stretch_again_and_again() {
        let mut pace = Pace::default();
        let bursts_of = |pace: &mut Pace, bytes: usize| {
            for _ in 0..1000 {
                for _ in 0..bytes / 1000 {
                    pace.took(1000);
                }
                pace.ran_dry();
            }
            pace.limit()
        };
        assert_eq!(bursts_of(&mut pace, 30_000), 16 << 10);
        assert_eq!(bursts_of(&mut pace, 100_000), 64 << 10);
        assert_eq!(bursts_of(&mut pace, 1_000_000), 256 << 10);
    }

    #[test]
    fn a_stretch_in_which_the_socket_was_full_does_not_count() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.took(50_000);
            pace.full(Instant::now());
            pace.took(50_000);
            pace.ran_dry();
        }
        assert_eq!(pace.limit(), 16 << 10);
    }

    #[test]
    fn idle_times_do_not_count() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for _ in 0..100 {
            for _ in 0..10 {
                pace.took(2_500);
                now += Duration::from_millis(1);
                pace.full(now);
            }
            pace.ran_dry();
            now += Duration::from_secs(10);
        }
        assert_eq!(pace.limit(), 5_000);
    }
}
