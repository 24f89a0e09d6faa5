//! Files that are read again when the process is told to.

use std::{path::Path, sync::Arc};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
};

use super::{Content, Source, SourceError, files::Files};

/// A file, or the files of a folder, read again at each SIGHUP.
#[derive(Debug)]
pub struct HangupSource {
    files: Files,
    hangups: Signal,
    /// Something is to be read.
    due: bool,
}

impl HangupSource {
    /// Reads a file. From now on SIGHUP does not end the process any more.
    ///
    /// # Errors
    /// [`SourceError::Watch`] if the signal cannot be listened to.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::over(Files::file(path.as_ref())?)
    }

    /// Reads the files of a folder that have this extension, one after the other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn folder(path: impl AsRef<Path>, extension: &str) -> Result<Self, SourceError> {
        Self::over(Files::folder(path.as_ref(), extension)?)
    }

    fn over(files: Files) -> Result<Self, SourceError> {
        let hangups = signal(SignalKind::hangup()).map_err(|error| SourceError::Watch {
            source: Arc::new(error),
        })?;
        Ok(Self {
            files,
            hangups,
            due: true,
        })
    }
}

impl Source for HangupSource {
    async fn next(&mut self) -> Result<Content, SourceError> {
        if !self.due {
            self.hangups.recv().await.ok_or(SourceError::Ended)?;
            self.due = true;
        }
        let files = self.files.clone();
        let read = spawn_blocking(move || files.read()).await;
        self.due = false;
        read.map_err(|error| SourceError::Watch {
            source: Arc::new(error),
        })?
    }
}
