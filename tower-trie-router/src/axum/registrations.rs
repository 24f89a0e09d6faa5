//! Registering handlers, services and method routers with a [`TrieRouter`].

use std::convert::Infallible;

use axum::{extract::Request, handler::Handler, response::IntoResponse, routing::MethodRouter};
use tower_service::Service;

use super::{
    router::TrieRouter,
    routing::{self, IntoMethodRoutes, MethodRoutes},
};
use crate::router::{BuildError, Entry, IntoMethods, verbs::verbs};

impl<S> TrieRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// Registers the endpoints of `path`: [`MethodRoutes`] of [`routing`](crate::routing), or an
    /// `axum::routing::MethodRouter`.
    ///
    /// What the handlers in axum's method router extract is hidden, so it is registered as by
    /// [`compat`](Self::compat): every extractor of axum is right, at twice the cost of axum's routing.
    /// Given the same path again, the endpoints of other methods are added to it.
    pub fn route(mut self, path: &str, methods: impl IntoMethodRoutes<S>) -> Self {
        let MethodRoutes { table, faults } = methods.into_method_routes();
        let faults = faults.into_iter().map(|fault| fault.at(path));
        self.draft.errors.extend(faults);
        self.draft.add(Entry::new(path, table));
        self
    }

    /// As [`route`](Self::route), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_route(
        self,
        path: &str,
        methods: impl IntoMethodRoutes<S>,
    ) -> Result<Self, BuildError> {
        self.route(path, methods).check()
    }

    /// Registers axum's method router with axum's own parameters: `axum::extract::Path` and
    /// `RawPathParams` work in its handlers, whatever the pattern.
    ///
    /// The leaf is an axum router of one route, called with a URI of the captured values; the
    /// handlers see the real URI. Such a request is routed twice, so it costs more than
    /// axum's own routing: `cargo run --release -p benches -- axum` says how much.
    pub fn compat(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.route(path, methods)
    }

    /// As [`compat`](Self::compat), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_compat(self, path: &str, methods: MethodRouter<S>) -> Result<Self, BuildError> {
        self.compat(path, methods).check()
    }

    /// Registers a handler for some methods of `path`: an `http::Method`, several of them (of
    /// RFC 9110 or not), or an `axum::routing::MethodFilter`.
    pub fn on<H, T>(self, path: &str, methods: impl IntoMethods, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(path, MethodRoutes::new().on(methods, handler))
    }

    /// As [`on`](Self::on), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_on<H, T>(
        self,
        path: &str,
        methods: impl IntoMethods,
        handler: H,
    ) -> Result<Self, BuildError>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(path, methods, handler).check()
    }

    verbs! {
        bounds [H: Handler<T, S>, T: 'static,] generics [H, T] argument handler: H, on;
        get try_get GET;
        head try_head HEAD;
        post try_post POST;
        put try_put PUT;
        delete try_delete DELETE;
        patch try_patch PATCH;
        options try_options OPTIONS;
        connect try_connect CONNECT;
        trace try_trace TRACE;
    }

    /// Registers a handler for every method of `path` that has no endpoint of its own.
    pub fn any<H, T>(self, path: &str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(path, routing::any(handler))
    }

    /// As [`any`](Self::any), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_any<H, T>(self, path: &str, handler: H) -> Result<Self, BuildError>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.any(path, handler).check()
    }

    /// Registers a service for some methods of `path`.
    pub fn on_service<V>(self, path: &str, methods: impl IntoMethods, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.route(path, MethodRoutes::new().on_service(methods, service))
    }

    /// As [`on_service`](Self::on_service), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_on_service<V>(
        self,
        path: &str,
        methods: impl IntoMethods,
        service: V,
    ) -> Result<Self, BuildError>
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.on_service(path, methods, service).check()
    }

    verbs! {
        bounds [
            V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
            V::Response: IntoResponse,
            V::Future: Send + 'static,
        ]
        generics [V] argument service: V, on_service;
        get_service try_get_service GET;
        head_service try_head_service HEAD;
        post_service try_post_service POST;
        put_service try_put_service PUT;
        delete_service try_delete_service DELETE;
        patch_service try_patch_service PATCH;
        options_service try_options_service OPTIONS;
        connect_service try_connect_service CONNECT;
        trace_service try_trace_service TRACE;
    }

    /// Registers a service for every method of `path` that has no endpoint of its own.
    pub fn route_service<V>(self, path: &str, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.route(path, routing::any_service(service))
    }

    /// As [`route_service`](Self::route_service), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_route_service<V>(self, path: &str, service: V) -> Result<Self, BuildError>
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.route_service(path, service).check()
    }
}
