//! What a candidate has to pass before it may take requests.
//!
//! ```
//! use http::Request;
//! use tower_hotswap::{Handle, Version, checks};
//!
//! let app = axum::Router::new().route("/healthz", axum::routing::get(|| async { "ok" }));
//! let handle = Handle::builder(app, Version::parse("1.0.0", b"routes").unwrap())
//!     .check(checks::same_major())
//!     .check(checks::probe("health", || Request::new(axum::body::Body::empty()), |status| status.as_u16() < 500))
//!     .check(checks::by("newer", |current, candidate| {
//!         let newer = candidate.version.number() >= current.version.number();
//!         newer.then_some(()).ok_or_else(|| "older than what runs".into())
//!     }))
//!     .build();
//! # drop(handle);
//! ```

use std::{fmt, future::poll_fn, ops::RangeInclusive, pin::Pin, sync::Arc};

use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::{BoxError, Snapshot};

/// What a check returns: it resolves to why the candidate is refused, if it is.
pub type CheckFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

type Run<T> = dyn Fn(Arc<Snapshot<T>>, Arc<Snapshot<T>>) -> CheckFuture + Send + Sync;

/// A check of a candidate against what is current.
///
/// It runs in a task of its own, may panic, and is given up at the time limit.
pub struct Check<T> {
    name: Arc<str>,
    run: Arc<Run<T>>,
}

impl<T> Check<T> {
    /// A check that awaits. The first argument of `run` is the current snapshot, the second the candidate.
    pub fn new<F>(
        name: &str,
        run: impl Fn(Arc<Snapshot<T>>, Arc<Snapshot<T>>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Arc::new(move |current, candidate| Box::pin(run(current, candidate))),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn run(
        &self,
        current: Arc<Snapshot<T>>,
        candidate: Arc<Snapshot<T>>,
    ) -> CheckFuture {
        (self.run)(current, candidate)
    }
}

impl<T> fmt::Debug for Check<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({:?})", self.name)
    }
}

/// A check by a closure of the current snapshot and the candidate. It runs on a thread for blocking work.
pub fn by<T>(
    name: &str,
    check: impl Fn(&Snapshot<T>, &Snapshot<T>) -> Result<(), BoxError> + Send + Sync + 'static,
) -> Check<T>
where
    T: Send + Sync + 'static,
{
    let check = Arc::new(check);
    Check::new(name, move |current, candidate| {
        let check = check.clone();
        async move {
            let work = tokio::task::spawn_blocking(move || check(&current, &candidate));
            match work.await {
                Ok(result) => result,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => Err(error.into()),
                },
            }
        }
    })
}

/// The candidate's semantic version has the major number of the current one.
#[must_use]
pub fn same_major<T: Send + Sync + 'static>() -> Check<T> {
    Check::new("same major version", |current, candidate| {
        let (has, wanted) = (
            candidate.version.number().major,
            current.version.number().major,
        );
        let refusal =
            || format!("the candidate's major version is {has}, the current one's {wanted}");
        let result = if has == wanted {
            Ok(())
        } else {
            Err(refusal().into())
        };
        std::future::ready(result)
    })
}

/// The candidate's schema is one of `accepted`. A candidate that gives none is refused.
#[must_use]
pub fn schema<T: Send + Sync + 'static>(accepted: RangeInclusive<u32>) -> Check<T> {
    Check::new("schema", move |_, candidate| {
        let (from, to) = (accepted.start(), accepted.end());
        let result = match candidate.schema {
            Some(schema) if accepted.contains(&schema) => Ok(()),
            Some(schema) => Err(format!("schema {schema} is not within {from} and {to}").into()),
            None => Err(format!(
                "the candidate gives no schema; it needs one within {from} and {to}"
            )
            .into()),
        };
        std::future::ready(result)
    })
}

/// The candidate, a service, answers `request` with a status that `accept` likes, and its body ends well.
pub fn probe<S, B, C>(
    name: &str,
    request: impl Fn() -> Request<B> + Send + Sync + 'static,
    accept: impl Fn(StatusCode) -> bool + Send + Sync + 'static,
) -> Check<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
    C: Body + Send,
    C::Error: Into<BoxError>,
{
    let accept = Arc::new(accept);
    Check::new(name, move |_, candidate: Arc<Snapshot<S>>| {
        let (request, accept) = (request(), accept.clone());
        let mut service = candidate.value().clone();
        async move {
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let target = format!("{} {}", request.method(), request.uri());
            let response = service.call(request).await.map_err(Into::into)?;
            let status = response.status();
            if !accept(status) {
                return Err(format!("{target} was answered by {status}").into());
            }
            let mut body = Box::pin(response.into_body());
            while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                frame.map_err(Into::into)?;
            }
            Ok(())
        }
    })
}
