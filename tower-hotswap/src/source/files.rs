//! Reads a file, or the files of a folder.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Content, LIMIT, SourceError};

/// What is read.
#[derive(Debug, Clone)]
pub(super) struct Files {
    path: Arc<Path>,
    /// The files of the folder with this extension, instead of the file.
    extension: Option<Arc<str>>,
    pub(super) limit: u64,
}

impl Files {
    pub(super) fn file(path: &Path) -> Result<Self, SourceError> {
        // Made absolute at once: the working folder may change.
        let absolute = std::path::absolute(path).map_err(|error| unreadable(path, error))?;
        Ok(Self {
            path: absolute.into(),
            extension: None,
            limit: LIMIT,
        })
    }

    pub(super) fn folder(path: &Path, extension: &str) -> Result<Self, SourceError> {
        let file = Self::file(path)?;
        Ok(Self {
            extension: Some(extension.into()),
            ..file
        })
    }

    /// The folders in which something changes when the content does: the one that has the name, the ones that a link
    /// leads to, and the one above, in which the folder itself is replaced.
    #[cfg(feature = "notify")]
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let holding = |path: &Path| match self.extension {
            Some(_) => Some(path.to_owned()),
            None => path.parent().map(Path::to_owned),
        };
        let mut folders = Vec::from_iter(holding(&self.path));
        let resolved = fs::canonicalize(&self.path).ok();
        folders.extend(resolved.and_then(|path| holding(&path)));
        let above = folders
            .first()
            .and_then(|folder| folder.parent())
            .map(Path::to_owned);
        folders.extend(above);
        folders.dedup();
        folders
    }

    /// Blocks.
    pub(super) fn read(&self) -> Result<Content, SourceError> {
        let mut bytes = Vec::new();
        for path in self.paths()? {
            self.append(&path, &mut bytes)?;
        }
        Ok(Content {
            bytes,
            origin: self.path.display().to_string().into(),
        })
    }

    fn paths(&self) -> Result<Vec<PathBuf>, SourceError> {
        let Some(extension) = &self.extension else {
            return Ok(vec![self.path.to_path_buf()]);
        };
        let entries = fs::read_dir(&self.path).and_then(Iterator::collect);
        let entries: Vec<fs::DirEntry> = entries.map_err(|error| unreadable(&self.path, error))?;
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let fits = path.extension().is_some_and(|found| *found == **extension);
            // Editors keep their drafts under such names.
            fits && !name.starts_with('.') && !name.starts_with('#')
        });
        paths.sort();
        Ok(paths)
    }

    fn append(&self, path: &Path, bytes: &mut Vec<u8>) -> Result<(), SourceError> {
        let unreadable = |error| unreadable(path, error);
        // Opening a pipe would wait for a writer.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(SourceError::NoFile {
                path: path.to_owned(),
            });
        }
        let left = self.limit.saturating_sub(bytes.len() as u64);
        let file = File::open(path).map_err(unreadable)?;
        let read = file.take(left + 1).read_to_end(bytes).map_err(unreadable)?;
        if read as u64 > left {
            return Err(SourceError::TooLarge {
                origin: self.path.display().to_string(),
                limit: self.limit,
            });
        }
        // The next file of a folder begins on a line of its own.
        if self.extension.is_some() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: io::Error) -> SourceError {
    SourceError::Unreadable {
        path: path.to_owned(),
        source: Arc::new(error),
    }
}
