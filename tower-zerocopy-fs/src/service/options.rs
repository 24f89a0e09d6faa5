//! The choices a site has.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};

use crate::{
    fs::policy::{Dotfiles, Symlinks},
    http::encoding::Coding,
    metrics::Metrics,
};

/// Which entity tags responses carry (RFC 9110 §8.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntityTags {
    /// Strong ones, made of the time of the last modification in nanoseconds, the length, and the coding. The default;
    /// right where files are replaced rather than written over several times within one clock tick.
    #[default]
    Strong,
    /// The same ones marked as weak: they still revalidate a cache, but no range is resumed by them.
    Weak,
    /// None.
    Off,
}

/// What a directory without an index file is answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Listing {
    /// Status 404. The default: what is in a directory is nobody's business unless you say so.
    #[default]
    Off,
    /// A page of links.
    Html,
    /// An array of objects with `name`, `type` (`"file"` or `"directory"`), `size` in bytes, and `modified`.
    Json,
    /// JSON to a client whose `Accept` names `application/json`, the page to others.
    Negotiated,
}

/// What a browser is told to do with a file (`Content-Disposition`, RFC 6266).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disposition {
    /// Show it, and use the file's name if it is saved.
    Inline,
    /// Offer to save it under the file's name.
    Attachment,
}

/// Whether the kernel may send files themselves, and large ones by windows; see the crate's front page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Windows {
    /// In responses that have proven that no layer reads them. The default.
    #[default]
    Proven,
    /// Never. Files too large for the memory tiers are then read into buffers, and the kernel sends only copies that
    /// nobody can change.
    Off,
}

/// Everything a site can be told. Cloned when a setting changes, never while serving.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) root: PathBuf,
    /// The one name served, whatever is asked for.
    pub(crate) single: Option<String>,
    pub(crate) symlinks: Symlinks,
    pub(crate) dotfiles: Dotfiles,
    pub(crate) index: Vec<String>,
    pub(crate) append_index: bool,
    pub(crate) codings: Vec<Coding>,
    pub(crate) entity_tags: EntityTags,
    pub(crate) cache_control: Vec<(String, HeaderValue)>,
    pub(crate) disposition: Vec<(String, Disposition)>,
    pub(crate) content_types: Vec<(String, HeaderValue)>,
    pub(crate) listing: Listing,
    pub(crate) single_page: Option<String>,
    pub(crate) error_pages: Vec<(StatusCode, String)>,
    pub(crate) fallback_on_method: bool,
    pub(crate) max_ranges: usize,
    pub(crate) heap_file: u64,
    pub(crate) heap_total: u64,
    pub(crate) sealed_file: u64,
    pub(crate) sealed_total: u64,
    pub(crate) open_files: usize,
    pub(crate) period: Duration,
    pub(crate) windows: Windows,
    pub(crate) metrics: Option<Arc<Metrics>>,
}

impl Options {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            single: None,
            symlinks: Symlinks::default(),
            dotfiles: Dotfiles::default(),
            index: vec!["index.html".to_owned()],
            append_index: true,
            codings: Vec::new(),
            entity_tags: EntityTags::default(),
            cache_control: Vec::new(),
            disposition: Vec::new(),
            content_types: Vec::new(),
            listing: Listing::default(),
            single_page: None,
            error_pages: Vec::new(),
            fallback_on_method: false,
            max_ranges: 16,
            heap_file: 64 * 1024,
            heap_total: 64 * 1024 * 1024,
            sealed_file: 8 * 1024 * 1024,
            sealed_total: 256 * 1024 * 1024,
            open_files: 1024,
            period: Duration::from_secs(1),
            windows: Windows::default(),
            metrics: None,
        }
    }
}
