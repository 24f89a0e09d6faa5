//! The layer, its service and its future.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{BodyPool, Collect, DefaultRejection, PooledBody, Rejection};

/// Reads request bodies into pooled memory before the inner service is called.
#[derive(Debug, Clone)]
pub struct PooledBodyLayer<R = DefaultRejection> {
    pool: BodyPool,
    rejection: R,
}

impl PooledBodyLayer {
    /// Reads into `pool` and answers with [`DefaultRejection`].
    #[must_use]
    pub fn new(pool: BodyPool) -> Self {
        Self {
            pool,
            rejection: DefaultRejection,
        }
    }
}

impl<R> PooledBodyLayer<R> {
    /// Answers bodies that cannot be read with `rejection`, a closure say.
    #[must_use]
    pub fn rejection<N>(self, rejection: N) -> PooledBodyLayer<N> {
        PooledBodyLayer {
            pool: self.pool,
            rejection,
        }
    }
}

impl<S, R: Clone> Layer<S> for PooledBodyLayer<R> {
    type Service = PooledBodies<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        PooledBodies {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`PooledBodyLayer`].
///
/// Readiness is the inner service's; what it reserved stays with the request while its body is read. A request without a
/// body is passed on at once, and the inner service is not cloned for it.
#[derive(Debug, Clone)]
pub struct PooledBodies<S, R = DefaultRejection> {
    inner: S,
    layer: PooledBodyLayer<R>,
}

impl<S, B, C, R> Service<Request<B>> for PooledBodies<S, R>
where
    S: Service<Request<PooledBody>, Response = Response<C>> + Clone,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Rejection<C> + Clone,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = PooledBodyFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        if body.is_end_stream() {
            let request = Request::from_parts(parts, PooledBody::default());
            let future = self.inner.call(request);
            return PooledBodyFuture {
                stage: Stage::Serving { future },
            };
        }
        // The instance that is ready goes with the request.
        let fresh = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, fresh);
        PooledBodyFuture {
            stage: Stage::Reading {
                collect: self.layer.pool.collect_unseen(body),
                request: Some((ready, parts)),
                rejection: self.layer.rejection.clone(),
            },
        }
    }
}

pin_project! {
    /// The future of [`PooledBodies`].
    #[must_use = "futures do nothing unless polled"]
    pub struct PooledBodyFuture<S, B, R>
    where
        S: Service<Request<PooledBody>>,
    {
        #[pin]
        stage: Stage<S, B, R, S::Future>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, B, R, F> {
        Reading {
            #[pin]
            collect: Collect<B>,
            request: Option<(S, Parts)>,
            rejection: R,
        },
        Serving {
            #[pin]
            future: F,
        },
    }
}

impl<S, B, C, R> Future for PooledBodyFuture<S, B, R>
where
    S: Service<Request<PooledBody>, Response = Response<C>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Rejection<C>,
{
    type Output = Result<Response<C>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            match stage.as_mut().project() {
                StageProjection::Reading {
                    collect,
                    request,
                    rejection,
                } => {
                    let body = match ready!(collect.poll(cx)) {
                        Ok(body) => body,
                        Err(error) => return Poll::Ready(Ok(rejection.reject(&error))),
                    };
                    let Some((mut service, parts)) = request.take() else {
                        return Poll::Pending;
                    };
                    let future = service.call(Request::from_parts(parts, body));
                    stage.set(Stage::Serving { future });
                }
                StageProjection::Serving { future } => return future.poll(cx),
            }
        }
    }
}

impl<S: Service<Request<PooledBody>>, B, R> fmt::Debug for PooledBodyFuture<S, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Reading { collect, .. } => return collect.fmt(f),
            Stage::Serving { .. } => "Serving",
        };
        f.write_str(stage)
    }
}

#[cfg(all(test, not(pool_loom)))]
mod tests {
    use std::{
        convert::Infallible,
        future::{Ready, ready},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;
    use crate::Pool;

    /// Answers with the length of the body, and counts its clones.
    #[derive(Default)]
    struct Inner(Arc<AtomicUsize>);

    impl Clone for Inner {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(self.0.clone())
        }
    }

    impl Service<Request<PooledBody>> for Inner {
        type Response = Response<usize>;
        type Error = Infallible;
        type Future = Ready<Result<Response<usize>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<PooledBody>) -> Self::Future {
            ready(Ok(Response::new(request.body().len())))
        }
    }

    #[tokio::test]
    async fn only_a_request_with_a_body_needs_another_service() {
        let rejection = |_: &super::super::BodyError| Response::new(usize::MAX);
        let layer = PooledBodyLayer::new(BodyPool::new(Pool::default())).rejection(rejection);
        let inner = Inner::default();
        let clones = inner.0.clone();
        let mut service = layer.layer(inner);
        let length = service.call(Request::new(Empty::<Bytes>::new())).await;
        assert_eq!(length.unwrap().into_body(), 0);
        assert_eq!(clones.load(Ordering::Relaxed), 0);
        let length = service
            .call(Request::new(Full::<Bytes>::from("body")))
            .await;
        assert_eq!(length.unwrap().into_body(), 4);
        assert_eq!(clones.load(Ordering::Relaxed), 1);
    }
}
