//! Frames kept as they came, until all are copied in one go.
//!
//! What keeping a frame costs depends on what it is a part of: a slice of a buffer that a connection read into keeps
//! the whole buffer from use. A large frame is most of its buffer. A small one is worth keeping when it is one of a
//! [`Run`]: several frames that lie one after another in the same buffer, and fill it together.

use std::panic::Location;

use bytes::Bytes;

use crate::{AcquireError, Pool, PooledBuf, promise::Promise};

/// A frame of at least so many bytes is kept, whatever it is a part of.
pub(super) const LARGE: usize = 16 << 10;

/// Frames kept, and the place for the block that they will be copied into.
pub(super) struct HeldFrames {
    // First, so that the frames go before their place does.
    frames: Vec<Bytes>,
    length: usize,
    pub(super) promise: Promise,
}

/// Room for frames in the first allocation of the list: 64 KiB in segments of Ethernet.
const FRAMES: usize = 64;

impl HeldFrames {
    pub(super) fn new(promise: Promise, first: Bytes) -> Self {
        let mut frames = Vec::with_capacity(FRAMES);
        let length = first.len();
        frames.push(first);
        Self {
            frames,
            length,
            promise,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, frame: Bytes) {
        self.length += frame.len();
        self.frames.push(frame);
    }

    /// Copies the frames into the block.
    pub(super) fn assemble(
        self,
        pool: &Pool,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        let mut buffer = self.promise.redeem(pool, location)?;
        for frame in self.frames {
            buffer.extend_from_slice(&frame)?;
        }
        Ok(buffer)
    }
}

/// What may lie between two frames of a run: the head of a chunk, or of a frame of HTTP/2. Two buffers that are full and
/// next to each other may pass for one, which only means that a frame is kept that might have been copied.
const GAP: usize = 32;

/// A run is long when it fills a buffer of 16 KiB but for heads and what is left of a chunk.
const LONG: usize = 12 << 10;

/// What the first run of a body must fill: a connection's first buffer has 8 KiB, and the request's head is in it.
const FIRST_LONG: usize = 6 << 10;

/// The frames that came last, as far as they lie one after another.
pub(super) struct Run {
    /// The address behind the last frame.
    end: usize,
    length: usize,
    /// From which length on a run is long.
    long: usize,
    /// The most bytes that came in a run of several frames.
    longest: usize,
    /// How often in a row there was no frame.
    pauses: u32,
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            end: 0,
            length: 0,
            long: FIRST_LONG,
            longest: 0,
            pauses: 0,
        }
    }

    /// Adds a frame, and says whether the run is worth keeping with it: it goes on, or the one before was long, so
    /// that the next is likely to be.
    pub(super) fn add(&mut self, frame: &Bytes) -> bool {
        let start = frame.as_ptr().addr();
        let late = self.is_late();
        self.pauses = 0;
        let goes_on = self.length > 0 && start.wrapping_sub(self.end) <= GAP;
        let keep = goes_on || self.is_long();
        if goes_on && !late {
            self.length += frame.len();
            self.longest = self.longest.max(self.length);
        } else {
            if self.length > 0 {
                self.long = LONG;
            }
            self.length = frame.len();
        }
        self.end = start + frame.len();
        keep
    }

    /// There is no frame.
    pub(super) fn pause(&mut self) {
        self.pauses = self.pauses.saturating_add(1);
    }

    /// Whether the sender is late. Once without a frame says nothing, as hyper gives one frame a poll, even when it
    /// has read several.
    pub(super) fn is_late(&self) -> bool {
        self.pauses > 1
    }

    pub(super) fn is_long(&self) -> bool {
        self.length >= self.long
    }

    /// Whether there was a run that was worth keeping.
    pub(super) fn was_burst(&self) -> bool {
        self.longest >= LONG
    }
}

#[cfg(all(test, not(pool_loom)))]
mod tests {
    use super::*;

    /// `reads` buffers of which each has `frames` frames of 1,000 bytes, and room to spare.
    fn frames(reads: usize, frames: usize) -> Vec<Bytes> {
        let read = |_| {
            let read = Bytes::from(vec![0; (frames + 1) * 1010]);
            (0..frames).map(move |number| read.slice(number * 1010..number * 1010 + 1000))
        };
        (0..reads).flat_map(read).collect()
    }

    #[test]
    fn only_runs_that_fill_a_buffer_are_worth_keeping() {
        for (case, reads, each, kept, burst) in [
            ("one frame", 1, 1, 0, false),
            ("one read", 1, 40, 39, true),
            ("long reads", 3, 20, 59, true),
            // What goes on in its buffer costs nothing more; what begins another one does.
            ("short reads", 10, 4, 30, false),
            ("a frame a read", 40, 1, 0, false),
        ] {
            let frames = frames(reads, each);
            let mut run = Run::new();
            let keep = frames.iter().filter(|frame| run.add(frame)).count();
            assert_eq!((keep, run.was_burst()), (kept, burst), "{case}");
        }
    }

    #[test]
    fn a_late_frame_begins_a_run() {
        let mut run = Run::new();
        for frame in &frames(1, 40) {
            run.pause();
            assert!(!run.is_late());
            run.pause();
            assert!(run.is_late());
            run.add(frame);
        }
        assert!(!run.was_burst() && !run.is_long());
    }
}
