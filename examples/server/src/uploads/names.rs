//! The names in the folder of uploads, and what it takes that they survive a loss of power.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use http::StatusCode;

use crate::problem::Problem;

pub(super) fn part(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.part"))
}

fn length(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.length"))
}

/// Puts on the disk that there will be an upload, and of how many bytes.
pub(super) fn announce(folder: &Path, id: &str, bytes: u64) -> io::Result<()> {
    let mut file = File::create(length(folder, id))?;
    write!(file, "{bytes}")?;
    file.sync_all()?;
    File::create(part(folder, id))?;
    sync_names(folder)
}

/// Gives the file, which is on the disk, the name that says that it is all there.
pub(super) fn name_whole(folder: &Path, id: &str) -> io::Result<()> {
    fs::rename(part(folder, id), folder.join(id))?;
    fs::remove_file(length(folder, id))?;
    sync_names(folder)
}

/// Puts the names in a folder on the disk (fsync(2): a file's own sync does not).
fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// How many bytes were announced; `None` if that did not reach the disk.
pub(super) fn announced(folder: &Path, id: &str) -> Option<u64> {
    let text = fs::read_to_string(length(folder, id)).ok()?;
    text.parse().ok()
}

/// 507 when the disk is full, otherwise 500; what the system said is for the log.
pub(super) fn disk(error: io::Error) -> Problem {
    tracing::error!(%error, "an upload could not be written");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "the disk is full")
        }
        _ => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the upload could not be written",
        ),
    }
}
