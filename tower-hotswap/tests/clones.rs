//! Clones of a swapped service, as a server makes one for each request.
#![cfg(not(hotswap_loom))]

use std::{
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt};
use tower_hotswap::{Handle, HotSwap, Version};

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

/// Answers with its number; counts its clones, and those of them that are ready.
struct Counting {
    number: u64,
    clones: Arc<AtomicUsize>,
    ready: Arc<AtomicUsize>,
    is_ready: bool,
}

impl Counting {
    fn new(number: u64) -> Self {
        Self {
            number,
            clones: Arc::default(),
            ready: Arc::default(),
            is_ready: false,
        }
    }

    fn alive(&self) -> Weak<AtomicUsize> {
        Arc::downgrade(&self.clones)
    }

    fn set_ready(&mut self, now: bool) {
        match (self.is_ready, now) {
            (false, true) => self.ready.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.ready.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.is_ready = now;
    }
}

impl Clone for Counting {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self {
            number: self.number,
            clones: self.clones.clone(),
            ready: self.ready.clone(),
            is_ready: false,
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.set_ready(false);
    }
}

impl Service<Request<()>> for Counting {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.set_ready(true);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.is_ready, "called without being ready");
        self.set_ready(false);
        ready(Ok(Response::new(Full::from(self.number.to_string()))))
    }
}

async fn ask(app: &HotSwap<Counting>) -> String {
    let response = app.clone().oneshot(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_called_clone_serves_the_next_request_of_its_generation() {
    let first = Counting::new(0);
    let clones = first.clones.clone();
    let (app, handle) = HotSwap::new(first, version(0));
    for _ in 0..100 {
        assert_eq!(ask(&app).await, "0");
    }
    assert_eq!(clones.load(Ordering::Relaxed), 1);

    let second = Counting::new(1);
    let clones = second.clones.clone();
    handle.swap(second, version(1)).unwrap();
    for _ in 0..100 {
        assert_eq!(ask(&app).await, "1");
    }
    assert_eq!(clones.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_swap_frees_the_clones_that_wait_for_a_request() {
    let first = Counting::new(0);
    let alive = first.alive();
    let handle = Handle::builder(first, version(0)).history(1).build();
    let app = handle.service();
    assert_eq!(ask(&app).await, "0");
    let published = handle.swap(Counting::new(1), version(1)).unwrap();
    assert_eq!(alive.strong_count(), 0, "no request came meanwhile");
    published.drained().await;
}

#[tokio::test]
async fn a_clone_that_was_called_before_a_swap_is_not_kept_after_it() {
    let first = Counting::new(0);
    let alive = first.alive();
    let handle = Handle::builder(first, version(0)).history(1).build();
    let mut app = handle.service();
    let response = (&mut app).oneshot(Request::new(())).await.unwrap();
    drop(response);
    handle.swap(Counting::new(1), version(1)).unwrap();
    drop(app);
    assert_eq!(alive.strong_count(), 0);
    assert_eq!(ask(&handle.service()).await, "1");
}

#[tokio::test]
async fn what_was_ready_and_not_called_is_not_lent() {
    let first = Counting::new(0);
    let (clones, ready) = (first.clones.clone(), first.ready.clone());
    let (app, _handle) = HotSwap::new(first, version(0));
    let mut cancelled = app.clone();
    poll_fn(|cx| cancelled.poll_ready(cx)).await.unwrap();
    assert_eq!(ready.load(Ordering::Relaxed), 1);
    drop(cancelled);
    assert_eq!(ready.load(Ordering::Relaxed), 0, "given back");
    assert_eq!(ask(&app).await, "0");
    assert_eq!(clones.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn services_go_on_without_a_handle() {
    let first = Counting::new(0);
    let alive = first.alive();
    let (app, handle) = HotSwap::new(first, version(0));
    drop(handle);
    for _ in 0..10 {
        assert_eq!(ask(&app).await, "0");
    }
    // On a thread whose port nobody keeps any more, too.
    let there = app.clone();
    let answer = tokio::task::spawn_blocking(move || {
        futures_util::FutureExt::now_or_never(async move { ask(&there).await })
    });
    assert_eq!(answer.await.unwrap().as_deref(), Some("0"));
    drop(app);
    assert_eq!(alive.strong_count(), 0, "nothing holds itself");
}

#[test]
fn requests_from_many_threads_free_what_they_were_lent() {
    let watched: Vec<_> = std::thread::scope(|scope| {
        let first = Counting::new(0);
        let mut watched = vec![first.alive()];
        let handle = Handle::builder(first, version(0)).history(1).build();
        let app = handle.service();
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let app = app.clone();
                scope.spawn(move || {
                    let mut last = 0;
                    while last < 200 {
                        let asked = futures_util::FutureExt::now_or_never(ask(&app));
                        let answer = asked.expect("ready at once").parse().unwrap();
                        assert!(answer >= last, "{answer} after {last}");
                        last = answer;
                    }
                })
            })
            .collect();
        for number in 1..=200 {
            let next = Counting::new(number);
            watched.push(next.alive());
            handle.swap(next, version(number)).unwrap();
            std::thread::yield_now();
        }
        for client in clients {
            client.join().unwrap();
        }
        let alive = watched.iter().filter(|value| value.strong_count() > 0);
        assert_eq!(alive.count(), 1, "the current one");
        assert_eq!(watched[199].strong_count(), 0, "what it replaced");
        watched
    });
    assert!(watched.iter().all(|value| value.strong_count() == 0));
}
