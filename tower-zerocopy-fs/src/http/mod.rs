//! What RFC 9110 says about a static file, as pure functions: no file and no socket is touched here.

pub(crate) mod condition;
pub(crate) mod encoding;
pub(crate) mod etag;
pub(crate) mod glob;
pub(crate) mod path;
pub(crate) mod range;
