//! Nested routes of axum: the URI without the prefix, `OriginalUri` and `NestedPath`.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, NestedPath, OriginalUri, Request},
    response::IntoResponse,
};
use http::StatusCode;
use tower_service::Service;

use super::{
    handler::{Erased, Wrap, route_of},
    mint::{self, Cache},
    path::OwnParamsShown,
};
use crate::router::{Answer, Endpoint, Route, RouteMatch, Sees, depth, status, strip};

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
    inner: Erased,
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

/// The route to a service that answers everything below its prefix.
pub(crate) fn service<V>(service: V) -> Erased
where
    V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Future: Send + 'static,
{
    Route::new(NestedService {
        service,
        by_prefix: Cache::new(),
        plain: Cache::new(),
    })
}

/// A service behind a prefix, which is known with the first request: until then the router may be
/// nested in others.
struct NestedService<V> {
    service: V,
    /// An axum router with nothing in it but the nested service, which alone can leave axum's own
    /// traces of the nesting.
    by_prefix: Cache<Router>,
    /// The same without axum, for a prefix axum does not know (`/v{n}`) or a path that is not the
    /// one in the request.
    plain: Cache<Erased>,
}

impl<V> Endpoint<Body, Body> for NestedService<V>
where
    V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Future: Send + 'static,
{
    fn call(&self, mut request: Request) -> Answer<Body> {
        let (prefix, as_sent) = match request.extensions().get::<RouteMatch>() {
            Some(matched) => (matched.nest_prefix().to_owned(), matched.is_as_sent()),
            None => return Answer::Now(Some(status(StatusCode::NOT_FOUND))),
        };
        // What a router around this one left describes a pattern that goes on below.
        request.extensions_mut().remove::<MatchedPath>();

        if !as_sent || !mint::axum_accepts(&prefix) {
            let make = || Some(wrap(&prefix)(route_of(self.service.clone())));
            return match self.plain.get_or_make(&prefix, make) {
                Some(route) => route.endpoint.call(request),
                None => Answer::Now(Some(status(StatusCode::NOT_FOUND))),
            };
        }
        let router = self.by_prefix.get_or_make(&prefix, || {
            let router = Router::new().without_v07_checks();
            Some(router.nest_service(&prefix, self.service.clone()))
        });
        match router {
            Some(mut router) => {
                OwnParamsShown::insert_all(request.extensions_mut());
                let call = Service::<Request>::call(&mut router, request);
                Answer::Later(Box::pin(async move {
                    match call.await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    }
                }))
            }
            None => Answer::Now(Some(status(StatusCode::NOT_FOUND))),
        }
    }
}
