//! What a layer knows of priorities beforehand.

use std::{fmt, sync::Arc};

use http::{HeaderMap, Request, header, request::Parts};

use super::PriorityOverride;

type Judge = Arc<dyn Fn(&Parts) -> PriorityOverride + Send + Sync>;

/// See [`PriorityLayer`](super::PriorityLayer), which is how they are set.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    pub(crate) paths: Vec<(String, PriorityOverride)>,
    pub(crate) content_types: Vec<(String, PriorityOverride)>,
    pub(crate) judges: Vec<Judge>,
}

impl Rules {
    /// By the longest prefix of the path.
    pub(crate) fn by_path(&self, path: &str) -> PriorityOverride {
        self.paths
            .iter()
            .filter(|(prefix, _)| path.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(PriorityOverride::new(), |&(_, said)| said)
    }

    /// By the first that matches of the types, or of their first halves (`image/*`).
    pub(crate) fn by_content_type(&self, headers: &HeaderMap) -> PriorityOverride {
        if self.content_types.is_empty() {
            return PriorityOverride::new();
        }
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return PriorityOverride::new();
        };
        let end_of_essence = |&byte: &u8| byte == b';';
        let essence = value.as_bytes().split(end_of_essence).next();
        let essence = essence.unwrap_or_default().trim_ascii();
        self.content_types
            .iter()
            .find(|(pattern, _)| match pattern.strip_suffix('*') {
                Some(prefix) => essence
                    .get(..prefix.len())
                    .is_some_and(|front| front.eq_ignore_ascii_case(prefix.as_bytes())),
                None => essence.eq_ignore_ascii_case(pattern.as_bytes()),
            })
            .map_or(PriorityOverride::new(), |&(_, said)| said)
    }

    /// By what the functions say, those added first before others.
    pub(crate) fn judge<B>(&self, request: Request<B>) -> (Request<B>, PriorityOverride) {
        if self.judges.is_empty() {
            return (request, PriorityOverride::new());
        }
        let (parts, body) = request.into_parts();
        let said = self
            .judges
            .iter()
            .fold(PriorityOverride::new(), |said, judge| {
                said.or(judge(&parts))
            });
        (Request::from_parts(parts, body), said)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("paths", &self.paths)
            .field("content_types", &self.content_types)
            .field("judges", &self.judges.len())
            .finish()
    }
}
