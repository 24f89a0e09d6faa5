//! An open file of one version, and reading from it.

use std::{
    fs::{File, Metadata},
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use http::HeaderMap;

use super::{budget::Reservation, original::Original};

/// What tells one version of a file from another: its length and the time of its last modification.
///
/// Not the time of the last status change, since deleting or renaming an open file changes that and no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) len: u64,
    pub(crate) modified: Option<SystemTime>,
    #[cfg(unix)]
    identity: (u64, u64),
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
        }
    }

    /// Fails if `file` is no longer of this version.
    pub(crate) fn check(&self, file: &File) -> io::Result<()> {
        if Self::now(file)? == *self {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the file was changed in place while it was being sent; replace files by rename instead",
        ))
    }

    /// By `fstat(2)`, which is asked for every piece that is sent; `File::metadata` asks for much more.
    #[cfg(unix)]
    fn now(file: &File) -> io::Result<Self> {
        use std::time::Duration;
        let stat = rustix::fs::fstat(file)?;
        let (seconds, nanoseconds) = (stat.st_mtime as i64, stat.st_mtime_nsec as u32);
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let modified = if seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(whole)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(whole)
        };
        Ok(Self {
            len: stat.st_size as u64,
            modified: modified
                .and_then(|t| t.checked_add(Duration::from_nanos(nanoseconds.into()))),
            identity: (stat.st_dev as u64, stat.st_ino as u64),
        })
    }

    #[cfg(not(unix))]
    fn now(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of(&metadata))
    }
}

/// A file held open, with everything about it that responses share.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) original: Arc<Original>,
    /// The header of a full response, `Content-Length` included.
    pub(crate) headers: HeaderMap,
    /// The whole content, for small files.
    pub(crate) heap: Option<(Bytes, Reservation)>,
    /// The whole content in a sealed memory file, for files asked for often.
    pub(crate) sealed: OnceLock<(Bytes, Reservation)>,
    /// Requests so far, to tell which files are asked for often.
    pub(crate) requests: AtomicU32,
}

impl OpenFile {
    /// The whole content if it is in memory.
    pub(crate) fn resident(&self) -> Option<&Bytes> {
        self.heap
            .as_ref()
            .or_else(|| self.sealed.get())
            .map(|(bytes, _)| bytes)
    }

    /// Counts a request and returns the number of those before it.
    pub(crate) fn count_request(&self) -> u32 {
        let before = self.requests.load(Ordering::Relaxed);
        self.requests
            .store(before.saturating_add(1), Ordering::Relaxed);
        before
    }
}

/// Reads at `offset` without moving a cursor, which several readers share.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, buffer, offset);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Fills `buffer` from `offset` on; a file that ends before is an error.
pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, offset)? {
            0 => return Err(truncated()),
            n => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

pub(crate) fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file was truncated while it was being sent; replace files by rename instead",
    )
}

/// Reads what the page cache holds, or `None` where the disk would have to be asked.
///
/// `preadv2(2)` with `RWF_NOWAIT`. An empty read counts as `None` too: Linux 5.9 and 5.10 return 0 where they mean
/// `EAGAIN`.
#[cfg(target_os = "linux")]
pub(crate) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut slices = [io::IoSliceMut::new(buffer)];
    preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT)
        .ok()
        .filter(|&n| n > 0)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read_cached(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}
