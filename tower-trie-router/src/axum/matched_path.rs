//! axum's `MatchedPath` in the extensions of a matched request.

use std::sync::Arc;

use axum::extract::{MatchedPath, NestedPath};
use http::Extensions;

use super::mint::{self, Cache};
use crate::router::Annotate;

/// The `MatchedPath` of a pattern, made once at build time, and those of the same pattern below
/// the prefixes that outer axum routers nest this router at, made when first met.
struct Minted {
    pattern: String,
    alone: Option<MatchedPath>,
    mounted: Cache<MatchedPath>,
}

/// The annotation of a pattern; see [`Hooks`](crate::router::Hooks).
pub(crate) fn annotation(pattern: &str) -> Option<Arc<dyn Annotate>> {
    Some(Arc::new(Minted {
        pattern: pattern.to_owned(),
        alone: mint::matched_path(pattern),
        mounted: Cache::new(),
    }))
}

impl Annotate for Minted {
    fn annotate(&self, extensions: &mut Extensions) {
        let path = match extensions.get::<NestedPath>() {
            None => self.alone.clone(),
            Some(prefix) => self.mounted.get_or_make(prefix.as_str(), || {
                let prefix = prefix.as_str().trim_end_matches('/');
                mint::matched_path(&format!("{prefix}{}", self.pattern))
            }),
        };
        if let Some(path) = path {
            extensions.insert(path);
        }
    }
}
