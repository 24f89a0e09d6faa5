//! Middleware that is replaced around a service that stays.
#![cfg(not(hotswap_loom))]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};
use tower_hotswap::{Canary, Draft, HotLayer, InFlight, Version};

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

/// Marks requests with its number, and counts how often it wrapped a service.
#[derive(Clone)]
struct Mark {
    number: u64,
    wrapped: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Marking<S> {
    number: u64,
    inner: S,
}

impl<S> Layer<S> for Mark {
    type Service = Marking<S>;

    fn layer(&self, inner: S) -> Marking<S> {
        self.wrapped.fetch_add(1, Ordering::SeqCst);
        Marking {
            number: self.number,
            inner,
        }
    }
}

impl<S: tower::Service<Request<u64>>> tower::Service<Request<u64>> for Marking<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<u64>) -> S::Future {
        *request.body_mut() = self.number;
        self.inner.call(request)
    }
}

async fn echo(request: Request<u64>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = request.into_body().to_string();
    Ok(Response::builder()
        .header("mark", text)
        .body(Full::default())
        .unwrap())
}

async fn ask<S, B>(service: S) -> u64
where
    S: tower::Service<Request<u64>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    let response = service.oneshot(Request::new(0)).await.unwrap();
    response.headers()["mark"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn each_generation_wraps_once_and_clones_share_it() {
    let wrapped = Arc::new(AtomicUsize::new(0));
    let mark = |number| Mark {
        number,
        wrapped: wrapped.clone(),
    };
    let (layer, handle) = HotLayer::new(mark(1), version(1));
    let app = layer.layer(service_fn(echo));
    let other = layer.layer(service_fn(echo));
    let mut kept = app.clone();
    for number in 1..5 {
        if number > 1 {
            let published = handle.swap(mark(number), version(number)).unwrap();
            published.drained().await;
        }
        for _ in 0..3 {
            assert_eq!(ask(app.clone()).await, number);
            assert_eq!(ask(&mut kept).await, number);
        }
        assert_eq!(ask(other.clone()).await, number);
        assert_eq!(wrapped.swap(0, Ordering::SeqCst), 2, "once for each site");
    }
}

#[tokio::test]
async fn a_canary_of_a_layer_takes_its_share_and_keeps_both_built() {
    let wrapped = Arc::new(AtomicUsize::new(0));
    let mark = |number| Mark {
        number,
        wrapped: wrapped.clone(),
    };
    let (layer, handle) = HotLayer::new(mark(1), version(1));
    let app = layer.layer(service_fn(echo));
    let staged = handle.stage(Draft::new(version(2), mark(2))).await.unwrap();
    handle
        .canary(staged.id, Canary::percent(50.0).unwrap())
        .unwrap();
    let mut taken = 0;
    for _ in 0..200 {
        taken += usize::from(ask(app.clone()).await == 2);
    }
    assert!((60..=140).contains(&taken), "{taken} of 200 at 50 %");
    assert_eq!(wrapped.load(Ordering::SeqCst), 2);
    handle.promote().unwrap();
    assert_eq!(ask(app).await, 2);
    assert_eq!(
        wrapped.load(Ordering::SeqCst),
        2,
        "the canary's service is kept"
    );
}

#[tokio::test]
async fn a_permit_is_held_in_the_generation_that_gave_it() {
    let (layer, handle) = HotLayer::new(ConcurrencyLimitLayer::new(1), version(1));
    let (send, mut running) = tokio::sync::mpsc::unbounded_channel();
    let app = layer.layer(service_fn(move |_: Request<u64>| {
        let send = send.clone();
        async move {
            let (finish, wait) = tokio::sync::oneshot::channel::<()>();
            let served_by = InFlight::current().unwrap().snapshot().version.clone();
            send.send((finish, served_by)).unwrap();
            wait.await.unwrap();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    }));
    let first = tokio::spawn(app.clone().oneshot(Request::new(0)));
    let (finish_first, served_by) = running.recv().await.unwrap();
    assert_eq!(served_by, version(1));
    // The only permit is taken; the new generation has one of its own.
    let published = handle
        .swap(ConcurrencyLimitLayer::new(1), version(2))
        .unwrap();
    let second = tokio::spawn(app.oneshot(Request::new(0)));
    let (finish_second, served_by) = running.recv().await.unwrap();
    assert_eq!(served_by, version(2));
    finish_first.send(()).unwrap();
    drop(first.await.unwrap().unwrap());
    published.drained().await;
    finish_second.send(()).unwrap();
    second.await.unwrap().unwrap();
}
