//! A root with its caches: from names to what they stand for.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32},
    },
    time::Instant,
};

use bytes::Bytes;

use super::{
    headers,
    options::{Listing, Options, Windows},
};
#[cfg(target_os = "linux")]
use crate::net::registry::{self, Memory};
use crate::{
    body::Delivering,
    fs::{
        budget::{Budget, Reservation},
        cache::{Cache, Lookup},
        file::{OpenFile, read_exact_at},
        original::Original,
        root::{Found, Root, is_absence},
    },
    http::{encoding::Coding, path::FileName},
    metrics::Counter,
};

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Resolution {
    File(Arc<Representations>),
    /// A directory that was asked for without a slash at its end.
    Redirect,
    /// A directory to list.
    Directory,
    Missing,
}

/// A file as it is and as it was encoded beforehand.
#[derive(Debug)]
pub(super) struct Representations {
    identity: Option<Arc<OpenFile>>,
    coded: [Option<Arc<OpenFile>>; Coding::ALL.len()],
}

impl Representations {
    pub(super) fn get(&self, coding: Option<Coding>) -> Option<&Arc<OpenFile>> {
        match coding {
            None => self.identity.as_ref(),
            Some(coding) => self.coded[coding as usize].as_ref(),
        }
    }
}

/// Everything the clones of one service share.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) options: Options,
    pub(super) delivering: Arc<Delivering>,
    root: OnceLock<Root>,
    /// By name, for names without and with a slash at the end.
    caches: [Cache<Resolution>; 2],
    heap: Arc<Budget>,
    sealed: Arc<Budget>,
}

impl Site {
    pub(super) fn new(options: Options) -> Self {
        let cache = || Cache::new(options.open_files, options.period);
        Self {
            delivering: Arc::new(Delivering {
                metrics: options.metrics.clone(),
                windows: AtomicBool::new(options.windows == Windows::Proven),
            }),
            root: OnceLock::new(),
            caches: [cache(), cache()],
            heap: Budget::new(options.heap_total),
            sealed: Budget::new(options.sealed_total),
            options,
        }
    }

    /// What the cache knows. After `Stale` and `Absent` the caller calls [`resolve`](Self::resolve).
    pub(super) fn cached(&self, file: &FileName<'_>) -> Lookup<Resolution> {
        let known = self.caches[usize::from(file.directory)].get(&file.name, Instant::now());
        self.delivering.count(
            match known {
                Lookup::Fresh(_) => Counter::cache_hits,
                Lookup::Stale(_) => Counter::cache_revalidations,
                Lookup::Absent => Counter::cache_misses,
            },
            1,
        );
        known
    }

    /// Asks the file system and tells the cache. Blocks. Files that are still of the version of `previous` stay open.
    pub(super) fn resolve(
        &self,
        file: &FileName<'_>,
        previous: Option<&Resolution>,
    ) -> io::Result<Resolution> {
        let cache = &self.caches[usize::from(file.directory)];
        match self.look(file, previous) {
            Ok(resolution) => {
                cache.insert(&file.name, resolution.clone(), Instant::now());
                Ok(resolution)
            }
            Err(error) => {
                cache.remove(&file.name);
                Err(error)
            }
        }
    }

    fn look(&self, file: &FileName<'_>, previous: Option<&Resolution>) -> io::Result<Resolution> {
        let name: &str = &file.name;
        if self.options.single.is_none() && !self.options.dotfiles.allow(name) {
            return Ok(Resolution::Missing);
        }
        match (self.find(name)?, file.directory) {
            (Some(Found::Directory), false) => {
                let index = self.options.append_index || self.options.listing != Listing::Off;
                let answers = index && self.options.single.is_none();
                Ok(if answers {
                    Resolution::Redirect
                } else {
                    Resolution::Missing
                })
            }
            (Some(Found::Directory), true) => self.look_for_index(name, previous),
            (Some(Found::Special), _) | (_, true) => Ok(Resolution::Missing),
            (Some(Found::File(identity)), false) => self.represent(name, Some(identity), previous),
            (None, false) => self.represent(name, None, previous),
        }
    }

    fn look_for_index(
        &self,
        directory: &str,
        previous: Option<&Resolution>,
    ) -> io::Result<Resolution> {
        if self.options.append_index {
            for index in &self.options.index {
                let name = if directory.is_empty() {
                    index.clone()
                } else {
                    format!("{directory}/{index}")
                };
                match self.find(&name)? {
                    Some(Found::File(identity)) => {
                        return self.represent(&name, Some(identity), previous);
                    }
                    Some(_) => {}
                    None => match self.represent(&name, None, previous)? {
                        Resolution::Missing => {}
                        coded => return Ok(coded),
                    },
                }
            }
        }
        let listed = self.options.listing != Listing::Off;
        Ok(if listed {
            Resolution::Directory
        } else {
            Resolution::Missing
        })
    }

    /// Opens what is encoded beforehand next to `identity`; a coded file may be there alone.
    fn represent(
        &self,
        name: &str,
        identity: Option<std::fs::File>,
        previous: Option<&Resolution>,
    ) -> io::Result<Resolution> {
        let before = match previous {
            Some(Resolution::File(representations)) => Some(representations),
            _ => None,
        };
        let open = |file, coding| self.open(name, file, coding, before.and_then(|r| r.get(coding)));
        let identity = identity.map(|file| open(file, None)).transpose()?;
        let mut coded = [const { None }; Coding::ALL.len()];
        for &coding in &self.options.codings {
            if let Some(Found::File(file)) = self.find(&format!("{name}{}", coding.suffix()))? {
                coded[coding as usize] = Some(open(file, Some(coding))?);
            }
        }
        if identity.is_none() && coded.iter().all(Option::is_none) {
            return Ok(Resolution::Missing);
        }
        Ok(Resolution::File(Arc::new(Representations {
            identity,
            coded,
        })))
    }

    fn open(
        &self,
        name: &str,
        file: std::fs::File,
        coding: Option<Coding>,
        previous: Option<&Arc<OpenFile>>,
    ) -> io::Result<Arc<OpenFile>> {
        let original = Original::new(file)?;
        if let Some(previous) = previous.filter(|p| p.original.version == original.version) {
            return Ok(Arc::clone(previous));
        }
        let original = Arc::new(original);
        Ok(Arc::new(OpenFile {
            headers: headers::of_file(&self.options, name, coding, &original.version),
            heap: self.read_whole(&original),
            original,
            sealed: OnceLock::new(),
            requests: AtomicU32::new(0),
        }))
    }

    /// The content, where it is small enough and the budget allows it.
    fn read_whole(&self, original: &Arc<Original>) -> Option<(Bytes, Reservation)> {
        let len = original.version.len;
        if len > self.options.heap_file {
            return None;
        }
        let reservation = self.heap.reserve(len)?;
        let mut content = vec![0; len as usize];
        read_exact_at(&original.file, &mut content, 0).ok()?;
        // A file that is being written right now is not kept; the response will say what becomes of it.
        if !original.is_unchanged() {
            return None;
        }
        #[cfg(target_os = "linux")]
        if content.len() >= registry::SENDFILE_FROM
            && let Some(original) = self.sent_in_place_of_copies(original)
        {
            let original = Some((Arc::clone(original), 0));
            let bytes = registry::publish(content, Memory::Heap, original, None);
            return Some((bytes, reservation));
        }
        Some((Bytes::from(content), reservation))
    }

    /// Without windows the kernel sends nothing but what cannot be changed.
    #[cfg(target_os = "linux")]
    fn sent_in_place_of_copies<'a>(
        &self,
        original: &'a Arc<Original>,
    ) -> Option<&'a Arc<Original>> {
        (self.options.windows == Windows::Proven).then_some(original)
    }

    /// True if this request is the one to copy `file` into a sealed memory file: the second for this version.
    #[cfg(target_os = "linux")]
    pub(super) fn is_to_be_sealed(&self, file: &OpenFile) -> bool {
        file.resident().is_none()
            && file.original.version.len <= self.options.sealed_file
            && file.count_request() == 1
    }

    /// Copies `file` into a sealed memory file where the budget allows it. Blocks. Without success all stays as it is.
    #[cfg(target_os = "linux")]
    pub(super) fn seal(&self, file: &OpenFile) {
        if let Some(reservation) = self.sealed.reserve(file.original.version.len)
            && let Ok(bytes) =
                crate::body::sealed::copy_whole(file, self.sent_in_place_of_copies(&file.original))
        {
            // Only one request ever gets here for a file.
            let _ = file.sealed.set((bytes, reservation));
        }
    }

    /// What `name` is, or `None` if there is nothing for a visitor.
    pub(super) fn find(&self, name: &str) -> io::Result<Option<Found>> {
        match self.root().and_then(|root| root.find(name)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The root, opened when it is first needed.
    pub(super) fn root(&self) -> io::Result<&Root> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = Root::open(self.options.root.clone(), self.options.symlinks)?;
        Ok(self.root.get_or_init(|| root))
    }
}
