//! The file system's side: names under a root become open files, and open files become bytes.

pub(crate) mod budget;
pub(crate) mod buffers;
pub(crate) mod cache;
pub(crate) mod file;
pub(crate) mod original;
pub(crate) mod policy;
pub(crate) mod root;
