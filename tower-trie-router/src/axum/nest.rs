//! Nested routes of axum: the URI without the prefix, `OriginalUri` and `NestedPath`.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{NestedPath, OriginalUri, Request},
    response::IntoResponse,
};
use tower_service::Service;

use super::{
    handler::{AxumRoute, Wrap, route_of},
    mint::{self, Cache},
};
use crate::router::{Answer, Endpoint, Route, Sees, depth, strip};

/// Puts the nesting at `prefix` around a route.
pub(crate) fn wrap(prefix: &str) -> Arc<Wrap> {
    let prefix: Arc<str> = prefix.into();
    let nested = Arc::new(Cache::new());
    Arc::new(move |inner| {
        Route::new(Nested {
            inner,
            depth: depth(&prefix),
            prefix: Arc::clone(&prefix),
            nested: Arc::clone(&nested),
        })
    })
}

struct Nested {
    inner: AxumRoute,
    depth: usize,
    prefix: Arc<str>,
    /// `NestedPath` by what the request was nested at before.
    nested: Arc<Cache<NestedPath>>,
}

impl Endpoint<Body, Body> for Nested {
    fn call(&self, mut request: Request) -> Answer<Body> {
        if self.sees().uri {
            self.rewrite(&mut request);
        }
        self.inner.endpoint.call(request)
    }

    fn sees(&self) -> Sees {
        self.inner.endpoint.sees()
    }
}

impl Nested {
    fn rewrite(&self, request: &mut Request) {
        if request.extensions().get::<OriginalUri>().is_none() {
            let original = OriginalUri(request.uri().clone());
            request.extensions_mut().insert(original);
        }
        if let Some(stripped) = strip(request.uri(), self.depth) {
            *request.uri_mut() = stripped;
        }
        let before = request.extensions().get::<NestedPath>();
        let before = before.map_or("", NestedPath::as_str);
        let nested = self.nested.get_or_make(before, || {
            let before = before.trim_end_matches('/');
            mint::nested_path(&format!("{before}{}", self.prefix))
        });
        if let Some(nested) = nested {
            request.extensions_mut().insert(nested);
        }
    }
}

/// The route to a service that answers everything below `prefix`: an axum router with nothing
/// else in it, which alone can leave axum's own traces of the nesting.
pub(crate) fn service<V>(prefix: &str, service: V) -> AxumRoute
where
    V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Future: Send + 'static,
{
    if mint::axum_accepts(prefix) {
        let router = Router::new().without_v07_checks();
        return route_of(router.nest_service(prefix, service));
    }
    // A prefix axum does not know (`/v{n}`): what it would leave cannot be had.
    wrap(prefix)(route_of(service))
}
