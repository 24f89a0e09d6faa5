//! The suites: one file each, with what it measures and for whom at its head.

pub(crate) mod axum;
pub(crate) mod locality;
pub(crate) mod router;
