//! The folder of uploads: `ID` is a whole one, `ID.part` one that is being received, of `ID.length` bytes.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower_zerocopy_fs::{Disposition, Metrics, ServeFiles};
use uuid::Uuid;

use super::busy::Busy;
use super::names::{announce, announced, disk, name_whole, part};
use crate::problem::Problem;

/// When nothing came for so long, an upload that is not whole makes room for others.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the room for bytes that are announced is kept for whoever announced them. After that, others may take it.
const RESERVED: Duration = Duration::from_secs(60);

/// The most uploads that are kept, since what they hold besides their bytes no quota counts: a name in the folder, and some memory.
/// Each new one looks at all of them.
const MOST: usize = 10_000;

#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// Bytes on the disk.
    pub(super) offset: u64,
    /// Of them, those that are sure to be there after a loss of power.
    synced: u64,
    /// Bytes there will be.
    pub(super) length: u64,
    pub(super) changed: SystemTime,
    /// Whether a request writes it, or its end is being put on the disk.
    busy: bool,
    /// Whether it bears its final name.
    pub(super) whole: bool,
}

impl Upload {
    fn idle(&self) -> Duration {
        self.changed.elapsed().unwrap_or_default()
    }

    /// Whether it makes room for others, where whole ones are kept for so long.
    fn is_outlived(&self, keep: Option<Duration>) -> bool {
        let keep = if self.whole { keep } else { Some(ABANDONED) };
        !self.busy && keep.is_some_and(|keep| self.idle() > keep)
    }

    /// Bytes of the quota.
    fn room(&self) -> u64 {
        if self.busy || self.idle() < RESERVED {
            self.length
        } else {
            self.offset
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.offset == self.length
    }
}

/// Every upload, whole or not.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    uploads: Mutex<HashMap<String, Upload>>,
    /// One for each upload that is received, so that they leave other requests their part of the pool.
    slots: Semaphore,
    files: ServeFiles,
}

/// What is on the shelf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShelfFigures {
    pub(crate) whole: usize,
    pub(crate) partial: usize,
    /// On the disk.
    pub(crate) bytes: u64,
}

impl Shelf {
    /// Opens the folder and takes stock of what is in it. `at_once` uploads are received at a time.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub(crate) fn open(folder: &Path, at_once: usize, metrics: Arc<Metrics>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut uploads = HashMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let metadata = entry.metadata()?;
            let (id, length) = match name.strip_suffix(".part") {
                Some(id) => (id, announced(folder, id)),
                None if name.contains('.') => continue,
                None => (name.as_str(), Some(metadata.len())),
            };
            // A part whose announcement did not reach the disk cannot be resumed.
            let Some(length) = length else {
                fs::remove_file(entry.path())?;
                continue;
            };
            let mut upload = Upload {
                offset: metadata.len(),
                synced: metadata.len(),
                length,
                changed: metadata.modified().unwrap_or_else(|_| SystemTime::now()),
                busy: false,
                whole: !name.ends_with(".part"),
            };
            // The process ended between the last byte and the name.
            if upload.is_complete() && !upload.whole {
                File::open(part(folder, id))?.sync_data()?;
                name_whole(folder, id)?;
                upload.whole = true;
            }
            uploads.insert(id.to_owned(), upload);
        }
        let files = ServeFiles::try_new(folder)?
            .metrics(metrics)
            // They come and go, and a descriptor that is kept open keeps a deleted one's room on the disk.
            .open_files(0)
            // Whatever somebody uploaded is not shown as a page of this server.
            .content_disposition("*", Disposition::Attachment);
        Ok(Shelf {
            folder: folder.to_owned(),
            uploads: Mutex::new(uploads),
            slots: Semaphore::new(at_once),
            files,
        })
    }

    /// Serves the whole ones by their ids.
    pub(super) fn files(&self) -> &ServeFiles {
        &self.files
    }

    /// Waits until one upload more may be received.
    pub(super) async fn slot(&self) -> SemaphorePermit<'_> {
        self.slots.acquire().await.expect("they are never closed")
    }

    pub(crate) fn figures(&self) -> ShelfFigures {
        let uploads = self.lock();
        let whole = uploads.values().filter(|upload| upload.whole).count();
        ShelfFigures {
            whole,
            partial: uploads.len() - whole,
            bytes: uploads.values().map(|upload| upload.offset).sum(),
        }
    }

    /// Makes room for an upload and returns its id. Those that have been whole for longer than `keep` go, if that is not `None`.
    pub(super) fn create(
        &self,
        length: u64,
        quota: u64,
        keep: Option<Duration>,
    ) -> Result<String, Problem> {
        self.remove_outlived(keep);
        let id = Uuid::new_v4().simple().to_string();
        let upload = Upload {
            offset: 0,
            synced: 0,
            length,
            changed: SystemTime::now(),
            busy: false,
            whole: false,
        };
        {
            // Reserved under the lock, so that two cannot take the same room.
            let mut uploads = self.lock();
            if uploads.len() >= MOST {
                let detail =
                    format!("{MOST} uploads are here already; try again when some are gone");
                return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail));
            }
            let taken: u64 = uploads.values().map(Upload::room).sum();
            check_room(taken, length, quota)?;
            uploads.insert(id.clone(), upload);
        }
        if let Err(error) = announce(&self.folder, &id, length) {
            self.lock().remove(&id);
            return Err(disk(error));
        }
        if length == 0 {
            self.make_whole(&id).map_err(disk)?;
        }
        Ok(id)
    }

    /// How much is here, and how much there will be.
    pub(super) fn progress(&self, id: &str) -> Result<(u64, u64), Problem> {
        let uploads = self.lock();
        let upload = uploads.get(id).ok_or_else(|| missing(id))?;
        Ok((upload.offset, upload.length))
    }

    /// Whether all of it is here and can be read.
    pub(super) fn is_whole(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|upload| upload.whole)
    }

    /// Takes the right to write an upload, from where it ends. Its room is kept again from now on, if there is any.
    pub(super) fn begin(
        self: &Arc<Self>,
        id: &str,
        from: u64,
        quota: u64,
    ) -> Result<Busy, Problem> {
        let mut uploads = self.lock();
        let others = uploads.iter().filter(|(other, _)| *other != id);
        let taken: u64 = others.map(|(_, upload)| upload.room()).sum();
        let upload = uploads.get_mut(id).ok_or_else(|| missing(id))?;
        if upload.whole {
            return Err(Problem::conflict(format!("upload {id} is whole")));
        }
        if upload.busy {
            let detail = format!("upload {id} is being received by another request");
            return Err(Problem::new(StatusCode::LOCKED, detail));
        }
        if upload.offset != from {
            let detail = format!("upload {id} goes on at {}, not at {from}", upload.offset);
            return Err(Problem::conflict(detail));
        }
        if upload.room() < upload.length {
            check_room(taken, upload.length, quota)?;
        }
        upload.busy = true;
        Ok(Busy {
            shelf: self.clone(),
            id: id.to_owned(),
        })
    }

    pub(super) fn remove(&self, id: &str) -> Result<(), Problem> {
        {
            let mut uploads = self.lock();
            match uploads.get(id) {
                None => return Err(missing(id)),
                Some(upload) if upload.busy => {
                    let detail = format!("upload {id} is being received");
                    return Err(Problem::new(StatusCode::LOCKED, detail));
                }
                Some(_) => uploads.remove(id),
            };
        }
        self.remove_files(id)
    }

    fn remove_outlived(&self, keep: Option<Duration>) {
        let outlived: Vec<_> = {
            let mut uploads = self.lock();
            let outlived = uploads.extract_if(|_, upload| upload.is_outlived(keep));
            outlived.map(|(id, _)| id).collect()
        };
        for id in outlived {
            if let Err(error) = self.remove_files(&id) {
                tracing::warn!(
                    ?error,
                    id,
                    "an upload that is not kept could not be removed"
                );
            }
        }
    }

    fn remove_files(&self, id: &str) -> Result<(), Problem> {
        for name in [id.to_owned(), format!("{id}.part"), format!("{id}.length")] {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(disk(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts the bytes that have arrived on the disk. When that fails, those since the last time are taken back: the kernel forgets
    /// what it could not write, and says so only once (fsync(2)).
    pub(super) fn sync(&self, id: &str) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.part(id))?;
        let synced = file.sync_data();
        let mut uploads = self.lock();
        let Some(upload) = uploads.get_mut(id) else {
            return synced;
        };
        match &synced {
            Ok(()) => upload.synced = upload.offset,
            Err(_) => {
                upload.offset = upload.synced;
                // A file that is longer than it says cannot go on.
                if file.set_len(upload.synced).is_err() {
                    uploads.remove(id);
                }
            }
        }
        synced
    }

    /// Gives an upload of which every byte is here its final name.
    pub(super) fn make_whole(&self, id: &str) -> io::Result<()> {
        name_whole(&self.folder, id)?;
        if let Some(upload) = self.lock().get_mut(id) {
            upload.whole = true;
        }
        Ok(())
    }

    /// Gives the right to write back.
    pub(super) fn end(&self, id: &str) {
        if let Some(upload) = self.lock().get_mut(id) {
            upload.busy = false;
        }
    }

    pub(super) fn part(&self, id: &str) -> PathBuf {
        part(&self.folder, id)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_room(taken: u64, length: u64, quota: u64) -> Result<(), Problem> {
    if taken.saturating_add(length) <= quota {
        return Ok(());
    }
    let detail = format!("uploads may take {quota} bytes together, and {taken} are taken");
    Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail))
}

fn missing(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no upload {id}"))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn uploads_of_nothing_are_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), 1, Arc::default()).unwrap();
        let id = shelf.create(0, 0, None).unwrap();
        let whole = shelf.lock()[&id].clone();
        for number in 1..MOST {
            shelf.lock().insert(number.to_string(), whole.clone());
        }
        let refused = shelf.create(0, 0, None).unwrap_err();
        assert_eq!(
            refused.into_response().status(),
            StatusCode::INSUFFICIENT_STORAGE
        );
        shelf.remove("1").unwrap();
        shelf.create(0, 0, None).unwrap();
    }

    #[test]
    fn uploads_make_room_when_their_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), 1, Arc::default()).unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        let cases = [
            ("an old one", 0, 8 * day, false, false),
            ("a young one", 0, 6 * day, false, true),
            ("one whose last byte has just come", 0, 8 * day, true, true),
            ("an old part", 1, 2 * day, false, false),
            ("a young part", 1, day / 2, false, true),
            ("a part that is received", 1, 2 * day, true, true),
        ];
        let ids = cases.map(|(_, length, age, busy, _)| {
            let id = shelf.create(length, 10, None).unwrap();
            let mut uploads = shelf.lock();
            let upload = uploads.get_mut(&id).unwrap();
            upload.changed -= age;
            upload.busy = busy;
            id
        });
        shelf.remove_outlived(Some(7 * day));
        for ((name, length, _, _, stays), id) in cases.iter().zip(&ids) {
            assert_eq!(shelf.progress(id).is_ok(), *stays, "{name}");
            let file = match length {
                0 => folder.path().join(id),
                _ => shelf.part(id),
            };
            assert_eq!(file.exists(), *stays, "the file of {name}");
        }
        // Whoever wants so keeps what is whole, and no parts.
        shelf.lock().get_mut(&ids[1]).unwrap().changed -= 1000 * day;
        shelf.remove_outlived(None);
        assert!(shelf.is_whole(&ids[1]));
    }
}
