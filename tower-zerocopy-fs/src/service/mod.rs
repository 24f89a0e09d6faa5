//! The request's side: a tower service that answers with files.

mod future;
mod headers;
mod listing;
mod options;
mod respond;
mod serve_file;
mod serve_files;
mod site;

pub use future::ResponseFuture;
pub use options::{Disposition, EntityTags, Listing, Windows};
pub use serve_file::ServeFile;
pub use serve_files::{NoFallback, ServeFiles, SetStatus};
