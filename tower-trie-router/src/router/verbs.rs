//! The registrations by method, which differ only in the method.

/// Writes `$name` and `$try_name` for each method: `name(path, what)` calls
/// `self.$on(path, Method::X, what)`.
macro_rules! verbs {
    (
        bounds $bounds:tt generics $generics:tt argument $what:ident : $type:ty, $on:ident;
        $($name:ident $try_name:ident $method:ident;)*
    ) => {
        $(
            $crate::router::verbs::verb! {
                $bounds $generics $what $type, $on $name $try_name $method
            }
        )*
    };
}

macro_rules! verb {
    (
        [$($bounds:tt)*] [$($generics:tt)*] $what:ident $type:ty,
        $on:ident $name:ident $try_name:ident $method:ident
    ) => {
        #[doc = concat!(
            "Registers a ", stringify!($what), " for `", stringify!($method), "` requests to `path`."
        )]
        pub fn $name<$($generics)*>(self, path: &str, $what: $type) -> Self
        where
            $($bounds)*
        {
            self.$on(path, ::http::Method::$method, $what)
        }

        #[doc = concat!(
            "As [`", stringify!($name), "`](Self::", stringify!($name),
            "), but reports at once every fault there is by now.\n\n",
            "# Errors\n\nAll faults of this and the earlier registrations."
        )]
        pub fn $try_name<$($generics)*>(
            self,
            path: &str,
            $what: $type,
        ) -> Result<Self, $crate::BuildError>
        where
            $($bounds)*
        {
            self.$name(path, $what).check()
        }
    };
}

/// Writes what both routers do in the same way with their draft.
macro_rules! composition {
    (impl [$($generics:tt)*] $router:ty where [$($bounds:tt)*]) => {
        impl<$($generics)*> $router
        where
            $($bounds)*
        {
            /// Puts another router's routes beside the own ones; only one of the two may have a
            /// fallback. The other's policies are not taken over.
            pub fn merge(mut self, other: Self) -> Self {
                self.draft.merge(other.draft);
                self
            }

            /// As [`merge`](Self::merge), but reports at once every fault there is by now.
            ///
            /// # Errors
            ///
            /// All faults of both routers.
            pub fn try_merge(self, other: Self) -> Result<Self, $crate::BuildError> {
                self.merge(other).check()
            }

            /// Puts another router's routes below a host: `example.com`, `{tenant}.example.com`,
            /// `api-{region}.example.com`, `{*sub}.example.com` (one or more labels).
            ///
            /// The host of a request is the authority of its URI, else its `Host` header; case and
            /// port do not count. Where no route of the host matches the path, those of any host
            /// are tried, then the host's fallback, then this router's. The host's parameters come
            /// before those of the path.
            pub fn host(mut self, pattern: &str, router: Self) -> Self {
                self.draft.host(pattern, router.draft);
                self
            }

            /// As [`host`](Self::host), but reports at once every fault there is by now.
            ///
            /// # Errors
            ///
            /// All faults of both routers.
            pub fn try_host(self, pattern: &str, router: Self) -> Result<Self, $crate::BuildError> {
                self.host(pattern, router).check()
            }

            /// Takes the fallback away again.
            pub fn reset_fallback(mut self) -> Self {
                self.draft.reset_fallback();
                self
            }

            /// Whether any route was added.
            pub fn has_routes(&self) -> bool {
                self.draft.has_routes()
            }

            /// What a path gets that differs from a route by a slash at its end;
            /// [`TrailingSlash::Strict`](crate::TrailingSlash::Strict) unless told.
            pub fn trailing_slash(mut self, policy: $crate::TrailingSlash) -> Self {
                self.draft.options.trailing_slash = policy;
                self
            }

            /// How percent-encoded bytes take part in matching;
            /// [`PercentPolicy::Raw`](crate::PercentPolicy::Raw) unless told.
            pub fn percent_policy(mut self, policy: $crate::PercentPolicy) -> Self {
                self.draft.options.percent = policy;
                self
            }

            /// Whether `HEAD` is answered by the endpoint of `GET`, its body left out and its
            /// length stated; [`Automatic::On`](crate::Automatic::On) unless told.
            pub fn automatic_head(mut self, automatic: $crate::Automatic) -> Self {
                self.draft.options.head = automatic;
                self
            }

            /// Whether `OPTIONS` is answered by 204 and `Allow`;
            /// [`Automatic::On`](crate::Automatic::On) unless told.
            pub fn automatic_options(mut self, automatic: $crate::Automatic) -> Self {
                self.draft.options.options = automatic;
                self
            }

            /// The router itself, or every fault there is by now.
            ///
            /// # Errors
            ///
            /// All faults of the registrations so far.
            pub fn check(self) -> Result<Self, $crate::BuildError> {
                self.draft.check().map(|()| self)
            }
        }
    };
}

pub(crate) use {composition, verb, verbs};
