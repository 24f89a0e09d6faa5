//! A file or a folder that is watched.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{Instant, sleep_until, timeout},
};

use super::{Content, Source, SourceError, files::Files};
use crate::sync::{Mutex, lock};

/// How long it has to be quiet before a file is read, and how long to wait for that at most.
const QUIET: Duration = Duration::from_millis(100);
const IMPATIENCE: Duration = Duration::from_secs(2);

/// A file, or the files of a folder, read again when they change.
///
/// What is watched is not the file but the folders around it, and what counts is the content: so it does not matter how a file
/// changes. It may be written in place, replaced by rename as editors do, reached by a link that is switched as Kubernetes
/// does with a ConfigMap, deleted and made anew, or its whole folder may be replaced. Reading waits until nothing has happened
/// for 100 ms, so that a file written in pieces is mostly read whole. If a piece of it is read after all, and does
/// not build, it is reported, and what runs stays until the rest is there; a format in which a beginning is as good as the
/// whole needs files that are replaced by rename.
///
/// Besides, the content is looked at every two seconds, for file systems that do not tell of changes.
#[derive(Debug)]
pub struct FileSource {
    files: Files,
    poll: Duration,
    next_poll: Option<Instant>,
    changed: Arc<Notify>,
    watch: Arc<Mutex<Watch>>,
    last: Option<Last>,
}

/// What was read last.
#[derive(Debug)]
struct Last {
    content: Option<Content>,
    /// The error in words, if it is an error that lasts.
    error: Option<String>,
}

impl FileSource {
    /// Follows a file, which need not exist yet.
    ///
    /// # Errors
    /// [`SourceError::Watch`], [`SourceError::Unreadable`] for an empty path.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::over(Files::file(path.as_ref())?)
    }

    /// Follows the files of a folder that have this extension (`toml`, say), hidden ones apart. The content is theirs, one
    /// after the other in the order of their names.
    ///
    /// # Errors
    /// [`SourceError::Watch`], [`SourceError::Unreadable`] for an empty path.
    pub fn folder(path: impl AsRef<Path>, extension: &str) -> Result<Self, SourceError> {
        Self::over(Files::folder(path.as_ref(), extension)?)
    }

    fn over(files: Files) -> Result<Self, SourceError> {
        let changed = Arc::new(Notify::new());
        let watch = Watch::new(changed.clone())?;
        Ok(Self {
            files,
            poll: Duration::from_secs(2),
            next_poll: None,
            changed,
            watch: Arc::new(Mutex::new(watch)),
            last: None,
        })
    }

    /// How often the content is looked at though nothing was told. Default: 2 seconds.
    #[must_use]
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll = interval;
        self
    }

    /// Bytes that may be read in all. Default: 16 MiB.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.files.limit = bytes;
        self
    }

    /// Waits until there may be another content.
    async fn wait(&mut self) {
        let poll = *self
            .next_poll
            .get_or_insert_with(|| Instant::now() + self.poll);
        tokio::select! {
            () = self.changed.notified() => {
                let patience = Instant::now() + IMPATIENCE;
                while Instant::now() < patience && timeout(QUIET, self.changed.notified()).await.is_ok() {}
            }
            () = sleep_until(poll) => {}
        }
    }

    /// Reads, and watches what has to be watched from now on.
    async fn read(&self) -> Result<Content, SourceError> {
        let (files, watch) = (self.files.clone(), self.watch.clone());
        let read = spawn_blocking(move || {
            // Watching first: what changes after the reading is told.
            lock(&watch).follow(files.folders());
            files.read()
        });
        read.await.map_err(|error| SourceError::Watch {
            source: Arc::new(error),
        })?
    }
}

impl Source for FileSource {
    async fn next(&mut self) -> Result<Content, SourceError> {
        loop {
            // `last` is set when something was read: a wait that is cancelled begins again, and a read that is
            // cancelled is made up for by the next poll.
            if self.last.is_some() {
                self.wait().await;
            }
            let read = self.read().await;
            self.next_poll = None;
            let last = self.last.get_or_insert(Last {
                content: None,
                error: None,
            });
            match read {
                Ok(content) => {
                    last.error = None;
                    if last.content.as_ref() != Some(&content) {
                        last.content = Some(content.clone());
                        return Ok(content);
                    }
                }
                Err(error) => {
                    let text = Some(error.to_string());
                    if last.error != text {
                        last.error = text;
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// The folders that are watched.
#[derive(Debug)]
struct Watch {
    watcher: RecommendedWatcher,
    folders: Vec<(PathBuf, Identity)>,
}

impl Watch {
    fn new(changed: Arc<Notify>) -> Result<Self, SourceError> {
        // What happened is not looked at: whatever it was, the content decides. Reading is no change.
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| event.kind.is_access()) {
                changed.notify_one();
            }
        });
        let watcher = watcher.map_err(|error| SourceError::Watch {
            source: Arc::new(error),
        })?;
        Ok(Self {
            watcher,
            folders: Vec::new(),
        })
    }

    /// Watches these folders and no others. One that cannot be watched, since it is not there, is tried again next time.
    fn follow(&mut self, wanted: Vec<PathBuf>) {
        let mut folders = Vec::new();
        for path in wanted {
            let now = identity(&path);
            let watched = self.folders.iter().position(|(known, _)| *known == path);
            let before = watched.map(|index| self.folders.remove(index));
            let same = before.as_ref().is_some_and(|(_, before)| *before == now);
            if !same && before.is_some() {
                // Another folder by the same name; the watch went with the old one, mostly.
                let _ = self.watcher.unwatch(&path);
            }
            if now.is_some()
                && (same
                    || self
                        .watcher
                        .watch(&path, RecursiveMode::NonRecursive)
                        .is_ok())
            {
                folders.push((path, now));
            }
        }
        for (path, _) in std::mem::replace(&mut self.folders, folders) {
            let _ = self.watcher.unwatch(&path);
        }
    }
}

/// Which folder it is that has a name; `None` if there is none.
type Identity = Option<(u64, u64)>;

#[cfg(unix)]
fn identity(path: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Identity {
    fs::metadata(path).ok().map(|_| (0, 0))
}
