//! The router of axum's handlers.

use std::{convert::Infallible, fmt};

use axum::{
    body::Body, extract::Request, handler::Handler, response::IntoResponse,
    routing::IntoMakeService,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    handler::Target,
    matched_path, nest,
    route::{wrap_of, wrap_of_unseeing},
    routing::{self, axum_path},
    service::{self, TrieService},
};
use crate::router::{
    BuildError, Draft, Frozen, Hooks, Kind, Route, RouterService, verbs::composition,
};

/// Puts together a router whose routes lead to axum's handlers, method routers and services.
///
/// `TrieRouter<S>` still misses a state of type `S`; [`with_state`](Self::with_state) gives it, and
/// [`build`](TrieRouter::build) makes the [`TrieService`]. The methods mean what those of
/// `axum::Router` of the same name mean, unless said; patterns may hold more (see the crate's front
/// page).
///
/// No registration fails or panics at once: a fault is kept, and
/// [`try_build`](TrieRouter::try_build) returns all of them. The twin of each registration whose
/// name begins with `try_` returns the faults there are by then.
///
/// # Example
///
/// ```
/// use axum::{Json, extract::State};
/// use tower_trie_router::{RouteMatch, TrieRouter, routing::get};
///
/// #[derive(Clone)]
/// struct App { greeting: &'static str }
///
/// async fn greet(State(app): State<App>) -> &'static str { app.greeting }
/// async fn list() -> Json<Vec<u32>> { Json(vec![1, 2]) }
///
/// let app = TrieRouter::new()
///     .get("/", greet)
///     .post("/users", || async { "created" })
///     .route("/users/{id}", get(list).delete(|| async {}))
///     .with_state(App { greeting: "hello" })
///     .build();
/// assert_eq!(app.routes().count(), 3);
/// ```
#[must_use]
pub struct TrieRouter<S = ()> {
    pub(super) draft: Draft<Target<S>>,
    matched_path: MatchedPaths,
}

/// Whether `MatchedPath` is left in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchedPaths {
    Inserted,
    Omitted,
}

impl<S> TrieRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// A router without routes, which answers everything with 404.
    pub fn new() -> Self {
        Self {
            draft: Draft::default(),
            matched_path: MatchedPaths::Inserted,
        }
    }

    /// Puts another router's routes below `prefix`, which may hold parameters.
    ///
    /// As in axum, its handlers see the URI without the prefix (`OriginalUri` keeps the whole) and
    /// `NestedPath`; its fallback, if it has one, answers below the prefix, else that of this
    /// router does. Its policies are those of this router.
    pub fn nest(mut self, prefix: &str, router: Self) -> Self {
        let wrap = nest::wrap(prefix);
        // A nested service finds its whole prefix by itself.
        let inner = router.draft.map_by_place(|_, kind, target| match kind {
            Kind::NestedService => target,
            Kind::Route | Kind::Fallback => target.wrap(&wrap),
        });
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

    /// Lets a service answer everything at and below `prefix`.
    ///
    /// An `axum::Router` finds everything as under axum's own `nest_service`: the URI without the
    /// prefix, the parameters of the prefix, `MatchedPath`, `NestedPath` and `OriginalUri`.
    pub fn nest_service<V>(mut self, prefix: &str, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        let target = Target::Ready(nest::service(service));
        self.draft.nest_service(prefix, target);
        self
    }

    /// As [`nest_service`](Self::nest_service), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_nest_service<V>(self, prefix: &str, service: V) -> Result<Self, BuildError>
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.nest_service(prefix, service).check()
    }

    /// Sets the handler of what no route matches.
    pub fn fallback<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.refuse_axum_path::<T>("fallback");
        self.draft.set_fallback(Target::handler(handler));
        self
    }

    /// As [`fallback`](Self::fallback), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_fallback<H, T>(self, handler: H) -> Result<Self, BuildError>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.fallback(handler).check()
    }

    /// Sets the service of what no route matches, such as an `axum::Router`.
    pub fn fallback_service<V>(mut self, service: V) -> Self
    where
        V: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Future: Send + 'static,
    {
        self.draft.set_fallback(Target::service(service));
        self
    }

    /// Sets what answers, on the paths registered so far, a method that has no endpoint; `Allow`
    /// is added to its response unless it has one.
    pub fn method_not_allowed_fallback<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.refuse_axum_path::<T>("method_not_allowed_fallback");
        self.draft.set_not_allowed(&Target::handler(handler));
        self
    }

    /// As [`method_not_allowed_fallback`](Self::method_not_allowed_fallback), but reports at once
    /// every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_method_not_allowed_fallback<H, T>(self, handler: H) -> Result<Self, BuildError>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.method_not_allowed_fallback(handler).check()
    }

    fn refuse_axum_path<T>(&mut self, place: &str) {
        if let Some(fault) = axum_path::<T>(&[]) {
            self.draft.fail(place, fault);
        }
    }

    /// Wraps everything registered so far, the fallback and the router's own answers included.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let wrap = wrap_of(layer);
        self.draft = self.draft.layer(|target| target.wrap(&wrap), routing::own);
        self
    }

    /// Wraps the routes registered so far, and not what answers where no route does.
    pub fn route_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let wrap = wrap_of(layer);
        self.draft = self
            .draft
            .route_layer(|_, target| target.wrap(&wrap), routing::own);
        self
    }

    /// As [`route_layer`](Self::route_layer), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_route_layer<L>(self, layer: L) -> Result<Self, BuildError>
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.route_layer(layer).check()
    }

    /// Wraps the routes registered so far, each endpoint in a layer that is made for its pattern.
    ///
    /// The pattern is as it is by now: a router that this one is nested in later puts a prefix before it. What a layer would
    /// look for in each request it knows from the start, so that `RouteMatch`, `MatchedPath`, `NestedPath` and
    /// `OriginalUri` are only left there for handlers that may look for them, and for layers that are put around by
    /// [`layer`](Self::layer) and [`route_layer`](Self::route_layer). That saves their
    /// memory, and to rewrite a nested URI. A layer that is made here must not look for them itself: whether it finds them goes by
    /// the handler that it is around.
    ///
    /// `make` is called for each endpoint, and so several times for a pattern: for each of its methods, for the answers to other
    /// methods, and for the patterns that a nested service is made of. What they are to share, such as a semaphore, is made before and
    /// looked up there. Routes of several hosts have the same pattern; which host it is is not told.
    ///
    /// ```
    /// use std::{collections::BTreeSet, sync::Mutex};
    /// use tower_trie_router::TrieRouter;
    /// # use tower_layer::{Layer, Identity};
    /// # struct Timing;
    /// # impl Timing { fn of(pattern: &str) -> Identity { Identity::new() } }
    ///
    /// let patterns = Mutex::new(BTreeSet::new());
    /// let app = TrieRouter::new()
    ///     .get("/hello", || async { "hello" })
    ///     .get("/users/{id}", || async { "a user" })
    ///     .route_layer_by(|pattern| {
    ///         patterns.lock().unwrap().insert(pattern.to_owned());
    ///         Timing::of(pattern)
    ///     })
    ///     .build();
    /// # drop(app);
    /// assert!(patterns.into_inner().unwrap().iter().eq(["/hello", "/users/{id}"]));
    /// ```
    pub fn route_layer_by<L>(mut self, make: impl Fn(&str) -> L) -> Self
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let wrap = |pattern: &str, target: Target<S>| target.wrap(&wrap_of_unseeing(make(pattern)));
        self.draft = self.draft.route_layer(wrap, routing::own);
        self
    }

    /// As [`route_layer_by`](Self::route_layer_by), but reports at once every fault there is by now.
    ///
    /// # Errors
    ///
    /// All faults of this and the earlier registrations.
    pub fn try_route_layer_by<L>(self, make: impl Fn(&str) -> L) -> Result<Self, BuildError>
    where
        L: Layer<crate::AxumRoute> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.route_layer_by(make).check()
    }

    /// Leaves axum's `MatchedPath` out of requests, which saves an allocation for each request
    /// somebody could look for it in. [`RouteMatch`](crate::RouteMatch) has the pattern too.
    pub fn without_matched_path(mut self) -> Self {
        self.matched_path = MatchedPaths::Omitted;
        self
    }

    /// Gives the handlers registered so far their state; the router may then miss another one.
    pub fn with_state<S2>(self, state: S) -> TrieRouter<S2> {
        TrieRouter {
            draft: self
                .draft
                .map(|target| Target::Ready(target.with_state(&state))),
            matched_path: self.matched_path,
        }
    }
}

composition! {
    impl [S] TrieRouter<S> where []
}

impl TrieRouter {
    /// Builds the router.
    ///
    /// # Errors
    ///
    /// Every fault of every registration.
    pub fn try_build(self) -> Result<TrieService, BuildError> {
        let draft: Draft<Route<Body, Body>> = self.draft.map(|target| target.with_state(&()));
        let hooks = Hooks {
            annotate: match self.matched_path {
                MatchedPaths::Inserted => matched_path::annotation,
                MatchedPaths::Omitted => |_| None,
            },
            explain: Some(service::explain),
        };
        let frozen = Frozen::new(draft, &hooks)?;
        Ok(TrieService::new(RouterService::new(frozen)))
    }

    /// Builds the router.
    ///
    /// # Panics
    ///
    /// If there is any fault, with the list of all of them; see [`try_build`](Self::try_build).
    #[track_caller]
    pub fn build(self) -> TrieService {
        match self.try_build() {
            Ok(service) => service,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds the router as `axum::serve` takes it.
    ///
    /// # Panics
    ///
    /// As [`build`](Self::build).
    #[track_caller]
    pub fn into_make_service(self) -> IntoMakeService<TrieService> {
        self.build().into_make_service()
    }
}

impl<S> Clone for TrieRouter<S> {
    fn clone(&self) -> Self {
        Self {
            draft: self.draft.clone(),
            matched_path: self.matched_path,
        }
    }
}

impl<S> Default for TrieRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for TrieRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrieRouter")
            .field("routes", &self.draft.patterns())
            .field("errors", &self.draft.errors)
            .finish_non_exhaustive()
    }
}
