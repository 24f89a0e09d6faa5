//! The router of services, without any framework.

use std::{convert::Infallible, fmt};

use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    dispatch::StatusEndpoint,
    draft::{Draft, Entry},
    endpoint::Route,
    error::{BuildError, RouteErrorKind},
    frozen::{Frozen, Hooks},
    methods::{IntoMethods, MethodTable},
    service::RouterService,
    strip::StripPrefix,
    verbs::{composition, verbs},
};

/// Puts together a router whose routes lead to tower services.
///
/// `B` is the body of requests, `R` that of responses. For axum's handlers, state and method
/// routers see `TrieRouter` (feature `axum`), which has the same methods.
///
/// No registration fails or panics at once: a fault is kept, and [`try_build`](Self::try_build)
/// returns all of them. The twin of each registration whose name begins with `try_` returns the
/// faults there are by then.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use bytes::Bytes;
/// use tower::{ServiceExt, service_fn};
/// use tower_trie_router::{RouteMatch, ServiceRouter};
///
/// let show = service_fn(|request: Request<()>| async move {
///     let matched = request.extensions().get::<RouteMatch>().unwrap();
///     let id = matched.get("id").unwrap().to_owned();
///     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(id)))
/// });
/// let router = ServiceRouter::new().get_service("/users/{id}", show).build();
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::get("/users/7").body(()).unwrap();
/// let response = router.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # });
/// ```
#[must_use]
pub struct ServiceRouter<B, R> {
    draft: Draft<Route<B, R>>,
}

impl<B, R> ServiceRouter<B, R>
where
    B: Send + 'static,
    R: Body + Default + Send + 'static,
{
    /// A router without routes, which answers everything with 404.
    pub fn new() -> Self {
        Self {
            draft: Draft::default(),
        }
    }

    /// Registers a service for the given methods of `path`.
    pub fn on_service<S>(mut self, path: &str, methods: impl IntoMethods, service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let route = Route::from_service(service);
        self.draft.add_methods(path, methods.into_methods(), route);
        self
    }

    /// As [`on_service`](Self::on_service), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_on_service<S>(
        self,
        path: &str,
        methods: impl IntoMethods,
        service: S,
    ) -> Result<Self, BuildError>
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.on_service(path, methods, service).check()
    }

    verbs! {
        bounds [
            S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
            S: Clone + Send + Sync + 'static,
            S::Future: Send + 'static,
        ]
        generics [S]
        argument service: S, on_service;
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
    pub fn route_service<S>(mut self, path: &str, service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let methods = MethodTable::of_any(Route::from_service(service));
        self.draft.add(Entry::new(path, methods));
        self
    }

    /// As [`route_service`](Self::route_service), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_route_service<S>(self, path: &str, service: S) -> Result<Self, BuildError>
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.route_service(path, service).check()
    }

    /// Puts another router's routes below `prefix`, which may hold parameters.
    ///
    /// Its services see the URI without the prefix; [`RouteMatch`](super::RouteMatch) knows the
    /// whole pattern and all parameters. Its fallback, if it has one, answers below the prefix,
    /// else that of this router does. Its policies are those of this router.
    pub fn nest(mut self, prefix: &str, router: Self) -> Self {
        let strip = StripPrefix::new(prefix);
        let inner = router.draft.map(|route| Route::new(strip.of(route)));
        self.draft.nest(prefix, inner);
        self
    }

    /// As [`nest`](Self::nest), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_nest(self, prefix: &str, router: Self) -> Result<Self, BuildError> {
        self.nest(prefix, router).check()
    }

    /// Lets a service answer everything at and below `prefix`; it sees the URI without it.
    pub fn nest_service<S>(mut self, prefix: &str, service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let route = Route::new(StripPrefix::new(prefix).of(Route::from_service(service)));
        self.draft.nest_service(prefix, route);
        self
    }

    /// As [`nest_service`](Self::nest_service), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_nest_service<S>(self, prefix: &str, service: S) -> Result<Self, BuildError>
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.nest_service(prefix, service).check()
    }

    /// Sets what answers where no route does.
    pub fn fallback_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.draft.set_fallback(Route::from_service(service));
        self
    }

    /// Sets what answers, on the paths registered so far, a method that has no endpoint; `Allow`
    /// is added to its response unless it has one.
    pub fn method_not_allowed_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.draft.set_not_allowed(&Route::from_service(service));
        self
    }

    /// Wraps everything registered so far, the fallback and the router's own answers included.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route<B, R>>,
        L::Service: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        L::Service: Clone + Send + Sync + 'static,
        <L::Service as Service<Request<B>>>::Future: Send + 'static,
    {
        let wrap = |route| Route::from_service(layer.layer(route));
        self.draft = self.draft.layer(wrap, own_answer);
        self
    }

    /// Wraps the routes registered so far, and not what answers where no route does.
    pub fn route_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route<B, R>>,
        L::Service: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        L::Service: Clone + Send + Sync + 'static,
        <L::Service as Service<Request<B>>>::Future: Send + 'static,
    {
        let wrap = |_: &str, route| Route::from_service(layer.layer(route));
        self.draft = self.draft.route_layer(wrap, own_answer);
        self
    }

    /// As [`route_layer`](Self::route_layer), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_route_layer<L>(self, layer: L) -> Result<Self, BuildError>
    where
        L: Layer<Route<B, R>>,
        L::Service: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        L::Service: Clone + Send + Sync + 'static,
        <L::Service as Service<Request<B>>>::Future: Send + 'static,
    {
        self.route_layer(layer).check()
    }

    /// Builds the router.
    ///
    /// # Errors
    ///
    /// Every fault of every registration.
    pub fn try_build(self) -> Result<RouterService<B, R>, BuildError> {
        Frozen::new(self.draft, &Hooks::default()).map(RouterService::new)
    }

    /// Builds the router.
    ///
    /// # Panics
    ///
    /// If there is any fault, with the list of all of them; see [`try_build`](Self::try_build).
    #[track_caller]
    pub fn build(self) -> RouterService<B, R> {
        match self.try_build() {
            Ok(router) => router,
            Err(error) => panic!("{error}"),
        }
    }
}

fn own_answer<B, R>(code: StatusCode) -> Route<B, R>
where
    R: Default,
{
    Route::new(StatusEndpoint(code))
}

composition! {
    impl [B, R] ServiceRouter<B, R> where []
}

impl<E: Clone> Draft<E> {
    /// Adds one endpoint for several methods of a pattern.
    pub(crate) fn add_methods(&mut self, path: &str, methods: Vec<http::Method>, endpoint: E) {
        if methods.is_empty() {
            return self.fail(path, RouteErrorKind::NoMethod);
        }
        let mut table = MethodTable::default();
        for method in &methods {
            // A method named twice in one list is one registration.
            let _ = table.set(method, endpoint.clone());
        }
        self.add(Entry::new(path, table));
    }
}

impl<B, R> Clone for ServiceRouter<B, R> {
    fn clone(&self) -> Self {
        Self {
            draft: self.draft.clone(),
        }
    }
}

impl<B, R> Default for ServiceRouter<B, R>
where
    B: Send + 'static,
    R: Body + Default + Send + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<B, R> fmt::Debug for ServiceRouter<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRouter")
            .field("routes", &self.draft.patterns())
            .field("errors", &self.draft.errors)
            .finish_non_exhaustive()
    }
}
