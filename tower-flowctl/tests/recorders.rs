//! A recorder of the `metrics` facade that panics: the limiter loses no place for it.
#![cfg(feature = "metrics")]

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{Request, Response};
use metrics::{
    Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_flowctl::limit::{AdaptiveLimit, AdaptiveLimitLayer, Gradient, Limiter, Queue};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Panics once when it is armed.
#[derive(Clone, Default)]
struct Panicking(Arc<AtomicBool>);

impl Panicking {
    fn arm(&self) {
        self.0.store(true, SeqCst);
    }

    fn assert_has_panicked(&self) {
        assert!(!self.0.load(SeqCst), "nothing was told");
    }
}

impl GaugeFn for Panicking {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, _: f64) {
        if self.0.swap(false, SeqCst) {
            panic!("the recorder's own");
        }
    }
}

impl Recorder for Panicking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(self.clone()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A limit of one, before a service that takes 120 ms.
fn limited(
    limiter: &Limiter,
) -> AdaptiveLimit<
    impl Service<Request<()>, Response = Response<String>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static,
> {
    AdaptiveLimitLayer::new(limiter.clone()).layer(service_fn(|_: Request<()>| async {
        sleep(120 * MILLISECOND).await;
        Ok(Response::new(String::new()))
    }))
}

fn limiter() -> Limiter {
    Limiter::new(Gradient::fixed(1), Queue::default())
}

/// In flight, and in the queue.
fn there(limiter: &Limiter) -> (u32, usize) {
    let snapshot = limiter.snapshot();
    (snapshot.in_flight, snapshot.queue)
}

#[tokio::test(start_paused = true)]
async fn when_a_request_gets_a_place() {
    let recorder = Panicking::default();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let limiter = limiter();
    let mut service = limited(&limiter);
    recorder.arm();
    let call = AssertUnwindSafe(|| service.call(Request::new(())));
    assert!(catch_unwind(call).is_err());
    recorder.assert_has_panicked();
    assert_eq!(there(&limiter), (0, 0));
    let answer = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn when_a_request_gets_into_the_queue() {
    let recorder = Panicking::default();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let limiter = limiter();
    let mut service = limited(&limiter);
    let first = service.call(Request::new(()));
    advance(100 * MILLISECOND).await;
    recorder.arm();
    let call = AssertUnwindSafe(|| service.call(Request::new(())));
    assert!(catch_unwind(call).is_err());
    recorder.assert_has_panicked();
    assert_eq!(there(&limiter), (1, 0));
    assert_eq!(first.await.unwrap().status(), 200);
    assert_eq!(there(&limiter), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn when_a_request_gives_up() {
    let recorder = Panicking::default();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let limiter = limiter();
    let service = limited(&limiter);
    let first = tokio::spawn(service.clone().oneshot(Request::new(())));
    let second = tokio::spawn(service.oneshot(Request::new(())));
    sleep(MILLISECOND).await;
    recorder.arm();
    assert!(second.await.unwrap_err().is_panic());
    recorder.assert_has_panicked();
    assert_eq!(there(&limiter), (1, 0));
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(there(&limiter), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn when_a_request_makes_room() {
    let recorder = Panicking::default();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let limiter = limiter();
    let service = limited(&limiter);
    let first = tokio::spawn(service.clone().oneshot(Request::new(())));
    sleep(50 * MILLISECOND).await;
    let second = tokio::spawn(service.oneshot(Request::new(())));
    sleep(MILLISECOND).await;
    assert_eq!(there(&limiter), (1, 1));
    recorder.arm();
    assert!(first.await.unwrap_err().is_panic());
    recorder.assert_has_panicked();
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert_eq!(there(&limiter), (0, 0));
}
