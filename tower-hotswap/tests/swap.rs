//! What a client of a swapped service sees.
#![cfg(not(hotswap_loom))]

use std::{
    convert::Infallible,
    future::{Future, Ready, poll_fn, ready},
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;
use tower::{Service, ServiceExt};
use tower_hotswap::{Draft, Handle, HotSwap, InFlight, Role, Version};

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

/// Answers with its number.
#[derive(Clone, Debug)]
struct Numbered {
    number: u64,
    _alive: Arc<()>,
}

impl Numbered {
    fn new(number: u64) -> Self {
        Self {
            number,
            _alive: Arc::new(()),
        }
    }

    fn watch(&self) -> Weak<()> {
        Arc::downgrade(&self._alive)
    }
}

impl Service<Request<()>> for Numbered {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Full::from(self.number.to_string()))))
    }
}

async fn ask<S, B>(service: S) -> u64
where
    S: Service<Request<()>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let response = service.oneshot(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    std::str::from_utf8(&body).unwrap().parse().unwrap()
}

fn pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
    future
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

#[tokio::test]
async fn requests_after_a_swap_are_answered_by_the_new() {
    let (app, handle) = HotSwap::new(Numbered::new(0), version(0));
    assert_eq!(ask(app.clone()).await, 0);
    let mut kept = app.clone();
    assert_eq!(ask(&mut kept).await, 0);
    for number in 1..10 {
        let published = handle.swap(Numbered::new(number), version(number)).unwrap();
        assert_eq!(ask(app.clone()).await, number, "a clone");
        assert_eq!(
            ask(&mut kept).await,
            number,
            "a service that was ready before"
        );
        assert_eq!(ask(&mut kept).await, number, "the same again");
        assert_eq!(published.replaced().version, version(number - 1));
        published.drained().await;
    }
    assert_eq!(handle.current().version, version(9));
}

#[tokio::test]
async fn a_service_made_ready_before_a_swap_serves_after_it() {
    let (mut app, handle) = HotSwap::new(Numbered::new(0), version(0));
    poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
    let published = handle.swap(Numbered::new(1), version(1)).unwrap();
    // What is only ready is not in flight.
    published.drained().await;
    let response = app.call(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "1");
}

#[tokio::test]
async fn old_generations_are_freed() {
    let first = Numbered::new(0);
    let mut watched = vec![first.watch()];
    let handle = Handle::builder(first, version(0)).history(3).build();
    let app = handle.service();
    for number in 1..20 {
        let next = Numbered::new(number);
        watched.push(next.watch());
        handle.swap(next, version(number)).unwrap();
        assert_eq!(ask(app.clone()).await, number);
    }
    let alive = watched
        .iter()
        .filter(|value| value.strong_count() > 0)
        .count();
    assert_eq!(alive, 3, "as many as the history has");
    assert_eq!(
        handle.generations().len(),
        1,
        "no generation is left behind"
    );
    drop((app, handle));
    assert!(watched.iter().all(|value| value.strong_count() == 0));
}

type Chunk = Result<http_body::Frame<Bytes>, Infallible>;

/// Answers with a body that the test feeds.
#[derive(Clone)]
struct Streaming(Arc<std::sync::Mutex<Option<mpsc::Receiver<Chunk>>>>);

impl Streaming {
    fn new() -> (Self, mpsc::Sender<Chunk>) {
        let (sender, receiver) = mpsc::channel(4);
        (
            Self(Arc::new(std::sync::Mutex::new(Some(receiver)))),
            sender,
        )
    }
}

struct Channel(mpsc::Receiver<Chunk>);

impl futures_core::Stream for Channel {
    type Item = Chunk;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.0.poll_recv(cx)
    }
}

impl Service<Request<()>> for Streaming {
    type Response = Response<StreamBody<Channel>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let receiver = self.0.lock().unwrap().take().unwrap();
        ready(Ok(Response::new(StreamBody::new(Channel(receiver)))))
    }
}

fn chunk(text: &'static str) -> Chunk {
    Ok(http_body::Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn a_streaming_body_belongs_to_its_generation_to_the_end() {
    let (streaming, sender) = Streaming::new();
    let (app, handle) = HotSwap::new(streaming, version(0));
    let response = app.clone().oneshot(Request::new(())).await.unwrap();
    let mut body = response.into_body();
    sender.send(chunk("start")).await.unwrap();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "start"
    );

    let published = handle.swap(Streaming::new().0, version(1)).unwrap();
    let mut drained = pin!(published.drained());
    let mut by_version = pin!(handle.drained(version(0)));
    assert!(pending(drained.as_mut()) && pending(by_version.as_mut()));
    let retired = &handle.generations()[1];
    assert_eq!((retired.role, retired.in_flight), (Role::Retired, 1));
    assert_eq!(retired.snapshot.version, version(0));

    sender.send(chunk("end")).await.unwrap();
    drop(sender);
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "end"
    );
    assert!(pending(drained.as_mut()), "the end was not read yet");
    assert!(body.frame().await.is_none());
    // A server drops a body that has ended; one that is kept counts.
    assert!(pending(drained.as_mut()));
    drop(body);
    drained.await;
    by_version.await;
    assert_eq!(handle.generations().len(), 1);
}

#[tokio::test]
async fn dropped_bodies_and_dropped_futures_count_as_ended() {
    let (streaming, _sender) = Streaming::new();
    let (mut app, handle) = HotSwap::new(streaming, version(0));
    let response = (&mut app).oneshot(Request::new(())).await.unwrap();
    let published = handle.swap(Streaming::new().0, version(1)).unwrap();
    assert!(pending(pin!(published.drained())));
    drop(response);
    published.drained().await;

    poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
    let future = app.call(Request::new(()));
    let published = handle.swap(Streaming::new().0, version(2)).unwrap();
    assert!(pending(pin!(published.drained())));
    drop(future);
    published.drained().await;
}

#[tokio::test]
async fn a_request_ends_when_its_service_panics() {
    #[derive(Clone)]
    struct Panicking {
        in_call: bool,
    }
    impl Service<Request<()>> for Panicking {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future =
            std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<()>) -> Self::Future {
            assert!(!self.in_call, "in the call");
            Box::pin(async { panic!("in the future") })
        }
    }
    for in_call in [true, false] {
        let (app, handle) = HotSwap::new(Panicking { in_call }, version(0));
        // The same service twice, as by a server that catches panics.
        let mut used_again = app.clone();
        for _ in 0..2 {
            poll_fn(|cx| used_again.poll_ready(cx)).await.unwrap();
            let call = std::panic::AssertUnwindSafe(|| used_again.call(Request::new(())));
            match std::panic::catch_unwind(call) {
                Ok(future) => assert!(tokio::spawn(future).await.unwrap_err().is_panic()),
                Err(_) => assert!(in_call),
            }
        }
        assert!(
            InFlight::current().is_none(),
            "nothing is left to this thread"
        );
        drop(used_again);
        assert_eq!(handle.generations()[0].in_flight, 0);
        let published = handle.swap(Panicking { in_call }, version(1)).unwrap();
        published.drained().await;
        drop(app);
    }
}

#[tokio::test]
async fn a_socket_that_outlives_its_response_counts_by_its_mark() {
    let (send, mut sockets) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |_: Request<()>| {
        let send = send.clone();
        async move {
            let mark = InFlight::current().expect("behind a HotSwap");
            send.send(mark).unwrap();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let (app, handle) = HotSwap::new(service.clone(), version(0));
    let response = app.oneshot(Request::new(())).await.unwrap();
    assert!(
        InFlight::current().is_none(),
        "no request is served on this thread now"
    );
    drop(response);
    let published = handle.swap(service, version(1)).unwrap();
    let mark = sockets.recv().await.unwrap();
    assert_eq!(mark.snapshot().version, version(0));
    assert!(pending(pin!(published.drained())), "the socket is open");
    drop(mark);
    published.drained().await;
}

/// A service that counts what its clones have reserved, and refuses calls without a reservation.
struct Reserving {
    number: u64,
    reserved: Arc<AtomicUsize>,
    mine: bool,
}

impl Reserving {
    fn new(number: u64) -> (Self, Arc<AtomicUsize>) {
        let reserved = Arc::new(AtomicUsize::new(0));
        let service = Self {
            number,
            reserved: reserved.clone(),
            mine: false,
        };
        (service, reserved)
    }
}

impl Clone for Reserving {
    fn clone(&self) -> Self {
        Self {
            number: self.number,
            reserved: self.reserved.clone(),
            mine: false,
        }
    }
}

impl Drop for Reserving {
    fn drop(&mut self) {
        self.reserved
            .fetch_sub(usize::from(self.mine), Ordering::SeqCst);
    }
}

impl Service<Request<()>> for Reserving {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if !std::mem::replace(&mut self.mine, true) {
            self.reserved.fetch_add(1, Ordering::SeqCst);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(
            std::mem::replace(&mut self.mine, false),
            "called without a reservation"
        );
        self.reserved.fetch_sub(1, Ordering::SeqCst);
        ready(Ok(Response::new(Full::from(self.number.to_string()))))
    }
}

#[tokio::test]
async fn a_reservation_is_used_or_given_back_in_its_own_generation() {
    let (first, in_first) = Reserving::new(0);
    let (second, in_second) = Reserving::new(1);
    let (mut app, handle) = HotSwap::new(first, version(0));
    poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
    assert_eq!(in_first.load(Ordering::SeqCst), 1);
    handle.swap(second, version(1)).unwrap();
    let response = app.call(Request::new(())).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "1"
    );
    poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
    assert_eq!(in_first.load(Ordering::SeqCst), 0, "given back");
    assert_eq!(in_second.load(Ordering::SeqCst), 1);
    drop(app);
    assert_eq!(in_second.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_answered_by_an_earlier_generation_than_was_seen() {
    const SWAPS: u64 = 3000;
    let (app, handle) = HotSwap::new(Numbered::new(0), version(0));
    // The newest generation that somebody was answered by, or whose swap returned.
    let seen = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (app, seen) = (app.clone(), seen.clone());
            tokio::spawn(async move {
                let mut kept = app.clone();
                let mut requests = 0_u64;
                loop {
                    let floor = seen.load(Ordering::SeqCst);
                    let answer = if task % 2 == 0 {
                        ask(app.clone()).await
                    } else {
                        ask(&mut kept).await
                    };
                    assert!(answer >= floor, "{answer} after {floor}");
                    seen.fetch_max(answer, Ordering::SeqCst);
                    requests += 1;
                    if answer == SWAPS {
                        return requests;
                    }
                    if requests.is_multiple_of(16) {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for number in 1..=SWAPS {
        let published = handle.swap(Numbered::new(number), version(number)).unwrap();
        seen.fetch_max(number, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if number % 100 == 0 {
            published.drained().await;
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(handle.generations().len(), 1, "all drained");
}

#[tokio::test]
async fn two_publishers_who_saw_the_same_cannot_both_win() {
    let (_, handle) = HotSwap::new(Numbered::new(0), version(0));
    for round in 0..50 {
        let seen = handle.current().id;
        let publish = |number: u64| {
            let handle = handle.clone();
            let draft = Draft::new(version(number), Numbered::new(number)).expecting(seen);
            tokio::spawn(async move { handle.publish(draft).await.is_ok() })
        };
        let (one, other) = (publish(2 * round + 1), publish(2 * round + 2));
        assert!(one.await.unwrap() != other.await.unwrap());
    }
}
