//! Method routers whose handlers are erased by this crate: what `axum::routing::{get, post, ..}`
//! is, at the router's full speed.
//!
//! [`TrieRouter::route`](crate::TrieRouter::route) takes axum's own `MethodRouter` too. What its
//! handlers extract is hidden, so it is routed as by `compat`, at twice axum's cost. Changing the `use`
//! line from `axum::routing::get` to `tower_trie_router::routing::get` is all it takes to avoid
//! that.

use std::{convert::Infallible, fmt};

use axum::{extract::Request, handler::Handler, response::IntoResponse, routing::MethodRouter};
use http::Method;
use tower_layer::Layer;
use tower_service::Service;

use super::{compat, handler::Target, route::wrap_of, sees};
use crate::router::{IntoMethods, MethodTable, RouteError, RouteErrorKind};

/// The endpoints of one path by method; what [`get`], [`post`] and the other functions of this
/// module make, and [`TrieRouter::route`](crate::TrieRouter::route) takes.
#[must_use]
pub struct MethodRoutes<S = ()> {
    pub(crate) table: MethodTable<Target<S>>,
    /// Faults, whose patterns are not known yet.
    pub(crate) faults: Vec<RouteErrorKind>,
}

impl<S> MethodRoutes<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// No endpoint for any method.
    pub fn new() -> Self {
        Self {
            table: MethodTable::default(),
            faults: Vec::new(),
        }
    }

    /// Adds a handler for some methods.
    pub fn on<H, T>(mut self, methods: impl IntoMethods, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let methods = methods.into_methods();
        self.check::<T>(&methods);
        self.set(methods, Target::handler(handler));
        self
    }

    /// Adds a service for some methods.
    pub fn on_service<V>(mut self, methods: impl IntoMethods, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.set(methods.into_methods(), Target::service(service));
        self
    }

    /// Adds a handler for every method that has no endpoint of its own.
    pub fn any<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.check::<T>(&[]);
        self.set_any(Target::handler(handler));
        self
    }

    /// Adds a service for every method that has no endpoint of its own.
    pub fn any_service<V>(mut self, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.set_any(Target::service(service));
        self
    }

    /// Sets the handler of the methods that have no endpoint; `Allow` is added to its response.
    pub fn fallback<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.check::<T>(&[]);
        self.table.not_allowed = Some(Target::handler(handler));
        self
    }

    /// Takes the endpoints of another over.
    pub fn merge(mut self, other: Self) -> Self {
        self.faults.extend(other.faults);
        let taken = self.table.merge(other.table);
        let taken = taken.into_iter();
        self.faults
            .extend(taken.map(|method| RouteErrorKind::MethodTaken { method }));
        self
    }

    /// Wraps the endpoints added so far.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let wrap = wrap_of(layer);
        self.table
            .refusal
            .get_or_insert_with(|| own(http::StatusCode::METHOD_NOT_ALLOWED));
        self.table
            .options_reply
            .get_or_insert_with(|| own(http::StatusCode::NO_CONTENT));
        self.table = self.table.map(|target| target.wrap(&wrap));
        self
    }

    /// Wraps the endpoints added so far, and not what answers a method that has none.
    pub fn route_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let wrap = wrap_of(layer);
        let not_allowed = self.table.not_allowed.take();
        let refusal = self.table.refusal.take();
        let options_reply = self.table.options_reply.take();
        self.table = MethodTable {
            not_allowed,
            refusal,
            options_reply,
            ..self.table.map(|target| target.wrap(&wrap))
        };
        self
    }

    /// Keeps a fault if a handler takes what only axum's router can fill.
    pub(crate) fn check<T>(&mut self, methods: &[Method]) {
        if let Some(fault) = axum_path::<T>(methods) {
            self.faults.push(fault);
        }
    }

    pub(crate) fn set(&mut self, methods: Vec<Method>, target: Target<S>) {
        if methods.is_empty() {
            self.faults.push(RouteErrorKind::NoMethod);
        }
        for method in methods {
            if self.table.set(&method, target.clone()).is_err() {
                let method = method.to_string();
                self.faults.push(RouteErrorKind::MethodTaken { method });
            }
        }
    }

    pub(crate) fn set_any(&mut self, target: Target<S>) {
        if self.table.any.replace(target).is_some() {
            let method = "*".into();
            self.faults.push(RouteErrorKind::MethodTaken { method });
        }
    }
}

/// The fault of a handler that takes what only axum's router can fill.
pub(crate) fn axum_path<T>(methods: &[Method]) -> Option<RouteErrorKind> {
    let extractor = sees::axum_path::<T>()?;
    let mut method = String::new();
    for name in methods {
        if !method.is_empty() {
            method.push(',');
        }
        method.push_str(name.as_str());
    }
    if method.is_empty() {
        method.push('*');
    }
    Some(RouteErrorKind::AxumPath { method, extractor })
}

pub(crate) fn own<S>(code: http::StatusCode) -> Target<S> {
    Target::Ready(crate::router::Route::new(crate::router::StatusEndpoint(
        code,
    )))
}

impl<S> Default for MethodRoutes<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for MethodRoutes<S> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            faults: self.faults.clone(),
        }
    }
}

impl<S> fmt::Debug for MethodRoutes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.table.registered().collect();
        f.debug_struct("MethodRoutes")
            .field("methods", &methods)
            .field("any", &self.table.any.is_some())
            .finish_non_exhaustive()
    }
}

/// What [`TrieRouter::route`](crate::TrieRouter::route) takes: [`MethodRoutes`], or axum's
/// `MethodRouter`, which becomes a compatibility leaf.
pub trait IntoMethodRoutes<S>: sealed::Sealed {
    #[doc(hidden)]
    fn into_method_routes(self) -> MethodRoutes<S>;
}

mod sealed {
    pub trait Sealed {}
    impl<S> Sealed for super::MethodRoutes<S> {}
    impl<S> Sealed for axum::routing::MethodRouter<S> {}
}

impl<S> IntoMethodRoutes<S> for MethodRoutes<S> {
    fn into_method_routes(self) -> Self {
        self
    }
}

impl<S> IntoMethodRoutes<S> for MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn into_method_routes(self) -> MethodRoutes<S> {
        MethodRoutes {
            table: compat::table(self),
            faults: Vec::new(),
        }
    }
}

impl RouteErrorKind {
    pub(crate) fn at(self, pattern: &str) -> RouteError {
        RouteError::new(pattern, self)
    }
}

macro_rules! functions {
    ($($name:ident $service:ident $method:ident;)*) => {
        $(
            #[doc = concat!("A handler for `", stringify!($method), "`.")]
            pub fn $name<H, T, S>(handler: H) -> MethodRoutes<S>
            where
                H: Handler<T, S>,
                T: 'static,
                S: Clone + Send + Sync + 'static,
            {
                MethodRoutes::new().on(Method::$method, handler)
            }

            #[doc = concat!("A service for `", stringify!($method), "`.")]
            pub fn $service<V, S>(service: V) -> MethodRoutes<S>
            where
                V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
                V::Response: IntoResponse,
                V::Future: Send + 'static,
                S: Clone + Send + Sync + 'static,
            {
                MethodRoutes::new().on_service(Method::$method, service)
            }
        )*

        impl<S> MethodRoutes<S>
        where
            S: Clone + Send + Sync + 'static,
        {
            $(
                #[doc = concat!("Adds a handler for `", stringify!($method), "`.")]
                pub fn $name<H, T>(self, handler: H) -> Self
                where
                    H: Handler<T, S>,
                    T: 'static,
                {
                    self.on(Method::$method, handler)
                }

                #[doc = concat!("Adds a service for `", stringify!($method), "`.")]
                pub fn $service<V>(self, service: V) -> Self
                where
                    V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
                    V::Response: IntoResponse,
                    V::Future: Send + 'static,
                {
                    self.on_service(Method::$method, service)
                }
            )*
        }
    };
}

functions! {
    get get_service GET;
    head head_service HEAD;
    post post_service POST;
    put put_service PUT;
    delete delete_service DELETE;
    patch patch_service PATCH;
    options options_service OPTIONS;
    connect connect_service CONNECT;
    trace trace_service TRACE;
}

/// A handler for any method.
pub fn any<H, T, S>(handler: H) -> MethodRoutes<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    MethodRoutes::new().any(handler)
}

/// A service for any method.
pub fn any_service<V, S>(service: V) -> MethodRoutes<S>
where
    V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Future: Send + 'static,
    S: Clone + Send + Sync + 'static,
{
    MethodRoutes::new().any_service(service)
}

/// A handler for some methods.
pub fn on<H, T, S>(methods: impl IntoMethods, handler: H) -> MethodRoutes<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    MethodRoutes::new().on(methods, handler)
}

/// A service for some methods.
pub fn on_service<V, S>(methods: impl IntoMethods, service: V) -> MethodRoutes<S>
where
    V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Future: Send + 'static,
    S: Clone + Send + Sync + 'static,
{
    MethodRoutes::new().on_service(methods, service)
}
