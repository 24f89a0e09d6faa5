//! A file on disk that bytes elsewhere are a copy of or stand for.

use std::{fs::File, io};
#[cfg(target_os = "linux")]
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::file::Version;

/// An open file, the version that it was opened in, and what is known of its pages.
#[derive(Debug)]
pub(crate) struct Original {
    pub(crate) file: File,
    pub(crate) version: Version,
    #[cfg(target_os = "linux")]
    seen: Seen,
}

impl Original {
    /// Takes the file as it is now.
    ///
    /// # Errors
    /// What `fstat(2)` fails with.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        Ok(Self {
            version: Version::of(&file.metadata()?),
            file,
            #[cfg(target_os = "linux")]
            seen: Seen::default(),
        })
    }

    /// True while the file is of the version it was opened in.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.version.check(&self.file).is_ok()
    }

    /// True if the kernel need not ask a disk for the `len` bytes from `start` on, as far as samples tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_cached(&self, start: u64, len: u64) -> bool {
        let end = start.saturating_add(len).min(self.version.len);
        let mut at = start;
        while at < end {
            let piece = at / PIECE;
            let (first, last) = (piece * PIECE, ((piece + 1) * PIECE).min(self.version.len));
            let stop = end.min(last);
            if !self.seen.lately(piece) {
                if !self.has_samples(at, stop) {
                    return false;
                }
                if (at, stop) == (first, last) {
                    self.seen.now(piece);
                }
            }
            at = stop;
        }
        true
    }

    #[cfg(target_os = "linux")]
    fn has_samples(&self, start: u64, end: u64) -> bool {
        let has = |at| super::file::read_cached(&self.file, &mut [0], at).is_some();
        (start..end).step_by(SAMPLE).all(has) && has(end - 1)
    }
}

/// Bytes about which one thing is remembered.
#[cfg(target_os = "linux")]
const PIECE: u64 = 256 * 1024;

/// Every so many bytes one is read to see whether the page cache has them: readahead and reclaim work in larger pieces.
#[cfg(target_os = "linux")]
const SAMPLE: usize = 64 * 1024;

/// How long pages that were seen are believed to be there. They are being sent meanwhile, so reclaim takes others first.
#[cfg(target_os = "linux")]
const LATELY: Duration = Duration::from_millis(100);

/// Pieces remembered for one file; those further on share places.
#[cfg(target_os = "linux")]
const PLACES: usize = 1024;

/// When which pieces of a file were last seen in the page cache.
///
/// A place holds the number of a piece and a time in one word, so that it is read and written at once; places that two
/// pieces want are taken by the later one. 8 KiB a file, and nothing until it is first needed.
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
struct Seen(OnceLock<Box<[AtomicU64]>>);

#[cfg(target_os = "linux")]
impl Seen {
    fn lately(&self, piece: u64) -> bool {
        let Some(places) = self.0.get() else {
            return false;
        };
        let word = places[piece as usize % PLACES].load(Ordering::Relaxed);
        let (known, then) = (word >> 32, word as u32);
        known == piece & 0xffff_ffff
            && then != 0
            && milliseconds().wrapping_sub(then) < LATELY.as_millis() as u32
    }

    fn now(&self, piece: u64) {
        let places = self
            .0
            .get_or_init(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect());
        let word = (piece << 32) | u64::from(milliseconds());
        places[piece as usize % PLACES].store(word, Ordering::Relaxed);
    }
}

/// Since the moment before the first call, so never 0 at first. It turns over after 49 days, when a piece may be
/// believed wrongly once.
#[cfg(target_os = "linux")]
fn milliseconds() -> u32 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    (start.elapsed().as_millis() as u32).wrapping_add(1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_in_memory_is_seen_and_remembered_by_whole_pieces() {
        let mut file = tempfile::tempfile().unwrap();
        let len = 3 * PIECE + 5;
        file.write_all(&vec![1; len as usize]).unwrap();
        let original = Original::new(file).unwrap();
        assert!(original.is_cached(1, len - 1));
        // The first piece was looked at from its second byte on.
        let remembered: Vec<_> = (0..5).map(|piece| original.seen.lately(piece)).collect();
        assert_eq!(remembered, [false, true, true, true, false]);
        assert!(original.is_cached(0, 10) && original.is_cached(len - 1, 100));
        assert!(
            original.is_cached(len, 1),
            "there is nothing to wait for beyond the end"
        );
    }

    #[test]
    fn pieces_that_share_a_place_are_told_apart() {
        let seen = Seen::default();
        seen.now(3);
        assert!(seen.lately(3) && !seen.lately(3 + PLACES as u64));
        seen.now(3 + PLACES as u64);
        assert!(!seen.lately(3) && seen.lately(3 + PLACES as u64));
    }

    #[test]
    fn a_change_in_place_shows() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let original = Original::new(file.reopen().unwrap()).unwrap();
        assert!(original.is_unchanged());
        file.write_all(b"two").unwrap();
        assert!(!original.is_unchanged());
    }
}
