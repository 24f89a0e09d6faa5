//! An upload while a request writes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;

use super::names::disk;
use super::shelf::Shelf;
use crate::problem::Problem;

/// The right to write one upload; dropping it gives the right back.
pub(super) struct Busy {
    pub(super) shelf: Arc<Shelf>,
    pub(super) id: String,
}

impl Busy {
    pub(super) fn open(&self) -> Result<File, Problem> {
        let path = self.shelf.part(&self.id);
        OpenOptions::new().append(true).open(path).map_err(disk)
    }

    /// Bytes that are still to come.
    pub(super) fn remaining(&self) -> u64 {
        let uploads = self.shelf.lock();
        uploads
            .get(&self.id)
            .map_or(0, |upload| upload.length - upload.offset)
    }

    /// Appends to the file. What a full disk took before it refused the rest counts, so that the upload goes on where
    /// the file ends.
    pub(super) fn write(&self, file: &mut File, mut bytes: &[u8]) -> Result<(), Problem> {
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => return Err(disk(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    self.advance(written as u64);
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(disk(error)),
            }
        }
        Ok(())
    }

    fn advance(&self, bytes: u64) {
        if let Some(upload) = self.shelf.lock().get_mut(&self.id) {
            upload.offset += bytes;
            upload.changed = SystemTime::now();
        }
    }

    /// Syncs what was written and, if that is all, makes the upload a whole one. Returns how much is here.
    pub(super) fn finish(self) -> Result<u64, Problem> {
        self.shelf.sync(&self.id).map_err(disk)?;
        let (offset, length) = self.shelf.progress(&self.id)?;
        if offset == length {
            self.shelf.make_whole(&self.id).map_err(disk)?;
        }
        Ok(offset)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let (shelf, id) = (self.shelf.clone(), std::mem::take(&mut self.id));
        let is_left = {
            let uploads = shelf.lock();
            let upload = uploads.get(&id);
            upload.is_some_and(|upload| upload.is_complete() && !upload.whole)
        };
        // A request that is gone after the last byte: nobody would send more, so nobody would give it its name.
        let end = move || {
            let finish = || shelf.sync(&id).and_then(|()| shelf.make_whole(&id));
            if is_left && let Err(error) = finish() {
                tracing::error!(%error, id, "an upload is complete, but could not be made whole");
            }
            shelf.end(&id);
        };
        match Handle::try_current() {
            Ok(runtime) if is_left => drop(runtime.spawn_blocking(end)),
            _ => end(),
        }
    }
}
