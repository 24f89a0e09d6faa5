//! The folder of files that the generations share. tower-zerocopy-fs keeps files open and in memory, and what is kept for a
//! rollback is not to do so once more with every reload; and a reload that leaves the folder alone keeps its caches warm.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tower_zerocopy_fs::ServeFiles;

use crate::config::Switch;

/// The service of files that was made last.
#[derive(Debug, Default)]
pub(crate) struct Folder(Mutex<Option<(Key, ServeFiles)>>);

/// What it was made of.
#[derive(Debug, PartialEq)]
struct Key {
    path: PathBuf,
    /// A service holds its folder open: another one that was renamed to the same path is another folder.
    identity: (u64, u64),
    zero_copy: Switch,
}

impl Folder {
    /// The service of this folder, by `make` where the last one is of another.
    ///
    /// # Errors
    /// What `make` fails with.
    pub(crate) fn service<E>(
        &self,
        path: &Path,
        zero_copy: Switch,
        make: impl FnOnce() -> Result<ServeFiles, E>,
    ) -> Result<ServeFiles, E> {
        let key = Key {
            path: path.to_owned(),
            identity: identity(path),
            zero_copy,
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, files)) if *known == key => Ok(files.clone()),
            _ => {
                let files = make()?;
                *last = Some((key, files.clone()));
                Ok(files)
            }
        }
    }
}

/// What the system tells folders apart by, where it does.
fn identity(path: &Path) -> (u64, u64) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        return (metadata.dev(), metadata.ino());
    }
    #[cfg(not(unix))]
    let _ = path;
    (0, 0)
}
