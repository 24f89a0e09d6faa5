//! The layer of the request plane.

use std::sync::Arc;

use http::request::Parts;
use tower_layer::Layer;

use super::{PriorityOverride, PriorityService, rules::Rules};

/// Schedules the responses of a service by priority, over connections that are
/// [`PriorityStream`](super::PriorityStream)s, and knows some priorities beforehand.
///
/// Under `serve` responses are scheduled without it, and it is there for its rules, and to have each request's
/// [`StreamPriority`](super::StreamPriority) in its extensions. Under any other server it must be the outermost
/// layer, around all routes: until it takes it off, each request has a field of the adapter's, with a secret of the process, which
/// is not to be logged and not to be sent on.
///
/// ```
/// use http::header;
/// use tower_flowctl::http2::{PriorityLayer, PriorityOverride};
///
/// let layer = PriorityLayer::new()
///     .path("/assets/fonts/", PriorityOverride::new().urgency(2))
///     .content_type("text/css", PriorityOverride::new().urgency(1))
///     .content_type("image/*", PriorityOverride::new().urgency(5).incremental(true))
///     .judge(|request| match request.headers.get("x-plan") {
///         Some(plan) if plan == "free" => PriorityOverride::new().urgency(6),
///         _ => PriorityOverride::new(),
///     });
/// # drop(layer);
/// ```
///
/// # Whose word stands
/// Each of urgency and incremental is as the first of these says:
/// 1. the application: [`PriorityOverride`] in the response's extensions, [`StreamPriority::set`](super::StreamPriority::set),
///    the request's extensions, [`judge`](Self::judge);
/// 2. the response's `priority` header (RFC 9218 §8);
/// 3. [`path`](Self::path), then [`content_type`](Self::content_type);
/// 4. the client: PRIORITY_UPDATE, the request's `priority` header, RFC 7540's dependencies;
/// 5. urgency 3, and not incremental. Clients that never mention priorities get incremental.
#[derive(Clone, Debug, Default)]
pub struct PriorityLayer {
    rules: Rules,
}

impl PriorityLayer {
    /// A layer without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do with paths that begin so; the longest beginning counts.
    #[must_use]
    pub fn path(mut self, prefix: impl Into<String>, said: PriorityOverride) -> Self {
        self.rules.paths.push((prefix.into(), said));
        self
    }

    /// What to do with responses of a type, such as `text/css`, or `image/*` for all images; the first that matches
    /// counts. Parameters are not looked at.
    #[must_use]
    pub fn content_type(mut self, pattern: impl Into<String>, said: PriorityOverride) -> Self {
        self.rules.content_types.push((pattern.into(), said));
        self
    }

    /// Asks a function about each HTTP/2 request, for what a path does not tell: the user's class, say.
    #[must_use]
    pub fn judge(
        mut self,
        judge: impl Fn(&Parts) -> PriorityOverride + Send + Sync + 'static,
    ) -> Self {
        self.rules.judges.push(Arc::new(judge));
        self
    }
}

impl<S> Layer<S> for PriorityLayer {
    type Service = PriorityService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PriorityService::new(inner, Arc::new(self.rules.clone()))
    }
}
