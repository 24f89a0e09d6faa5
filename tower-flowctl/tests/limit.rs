//! The adaptive limit and its queue, in simulated time.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Request, Response, StatusCode};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_flowctl::limit::{AdaptiveLimitLayer, Gradient, Limiter, LimiterSnapshot, Queue};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A backend with ten places of 10 ms: it takes 1000 requests a second, and more of them wait in it.
fn backend()
-> impl Service<Request<()>, Response = Response<String>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ 'static {
    let places = Arc::new(Semaphore::new(10));
    service_fn(move |_| {
        let places = Arc::clone(&places);
        async move {
            let _place = places.acquire().await.unwrap();
            sleep(10 * MILLISECOND).await;
            Ok(Response::new(String::new()))
        }
    })
}

struct Outcome {
    /// Requests a second that were answered within the target.
    goodput: f64,
    /// Of the requests that were let in.
    p99: Duration,
}

/// `rate` requests a second for `seconds`, whatever becomes of them, of which the first second is not counted. Who is not answered within
/// 100 ms goes away unsatisfied, but only the client knows.
async fn load<S>(service: S, rate: u32, seconds: u32) -> Outcome
where
    S: Service<
            Request<()>,
            Response = Response<String>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
{
    const TARGET: Duration = Duration::from_millis(100);
    let latencies: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let begun = Instant::now();
    for number in 0..rate * seconds {
        tokio::time::sleep_until(begun + Duration::from_secs(1) / rate * number).await;
        let (service, latencies) = (service.clone(), Arc::clone(&latencies));
        let counts = number >= rate;
        tokio::spawn(async move {
            let sent = Instant::now();
            let response = service.oneshot(Request::new(())).await.unwrap();
            if response.status() == StatusCode::OK && counts {
                latencies.lock().unwrap().push(sent.elapsed());
            }
        });
    }
    sleep(Duration::from_secs(120)).await;
    let mut latencies = latencies.lock().unwrap().clone();
    latencies.sort_unstable();
    let good = latencies
        .iter()
        .filter(|latency| **latency <= TARGET)
        .count();
    Outcome {
        goodput: good as f64 / f64::from(seconds - 1),
        p99: latencies[latencies.len() * 99 / 100],
    }
}

#[tokio::test(start_paused = true)]
async fn goodput_holds_at_three_times_the_saturating_load() {
    let limited = || {
        let limiter = Limiter::new(Gradient::default(), Queue::default());
        AdaptiveLimitLayer::new(limiter).layer(backend())
    };
    let peak = load(limited(), 1000, 6).await;
    let overload = load(limited(), 3000, 6).await;
    let nothing = load(backend(), 3000, 6).await;
    assert!(peak.goodput > 900.0, "{}", peak.goodput);
    assert!(
        overload.goodput > 0.9 * peak.goodput,
        "{} of {}",
        overload.goodput,
        peak.goodput
    );
    assert!(
        overload.p99 <= Duration::from_millis(100),
        "{:?}",
        overload.p99
    );
    assert!(nothing.goodput < 0.2 * peak.goodput, "{}", nothing.goodput);
}

/// A service that answers when it is told, and says in which order requests came in.
#[derive(Clone, Default)]
struct Held {
    go: Arc<Notify>,
    order: Arc<Mutex<Vec<usize>>>,
    running: Arc<AtomicUsize>,
}

impl Held {
    fn service(
        &self,
    ) -> impl Service<
        Request<usize>,
        Response = Response<String>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static {
        let held = self.clone();
        service_fn(move |request: Request<usize>| {
            let held = held.clone();
            async move {
                held.order.lock().unwrap().push(*request.body());
                held.running.fetch_add(1, Relaxed);
                held.go.notified().await;
                Ok(Response::new(String::new()))
            }
        })
    }
}

/// A limit of one, and requests 0.. that are sent a millisecond apart; their statuses.
fn send<S>(service: &S, numbers: std::ops::Range<usize>) -> Vec<tokio::task::JoinHandle<StatusCode>>
where
    S: Service<
            Request<usize>,
            Response = Response<String>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
{
    let begun = Instant::now();
    let first = numbers.start;
    numbers
        .map(|number| {
            let service = service.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(begun + MILLISECOND * (number - first) as u32).await;
                service
                    .oneshot(Request::new(number))
                    .await
                    .unwrap()
                    .status()
            })
        })
        .collect()
}

async fn statuses(tasks: Vec<tokio::task::JoinHandle<StatusCode>>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap().as_u16());
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_served_in_order_and_a_standing_queue_newest_first() {
    let held = Held::default();
    let limiter = Limiter::new(Gradient::fixed(1), Queue::default());
    let service = AdaptiveLimitLayer::new(limiter.clone()).layer(held.service());
    // A burst: 0 runs, 1 to 3 wait, for up to 100 ms.
    let burst = send(&service, 0..4);
    sleep(10 * MILLISECOND).await;
    assert_eq!(limiter.queue_length(), 3);
    for _ in 0..3 {
        held.go.notify_one();
        sleep(MILLISECOND).await;
    }
    assert_eq!(*held.order.lock().unwrap(), [0, 1, 2, 3]);
    // 3 runs on. 10 waits its 100 ms in vain, but the queue is not empty, and then it stands.
    let standing = send(&service, 10..11);
    sleep(60 * MILLISECOND).await;
    let more = send(&service, 11..12);
    sleep(50 * MILLISECOND).await;
    let last = send(&service, 12..15);
    sleep(4 * MILLISECOND).await;
    held.go.notify_one();
    sleep(MILLISECOND / 2).await;
    assert_eq!(*held.order.lock().unwrap(), [0, 1, 2, 3, 14]);
    // The others have 5 ms only, but for 11, which came before it stood.
    sleep(10 * MILLISECOND).await;
    assert_eq!(limiter.queue_length(), 1);
    held.go.notify_one();
    sleep(MILLISECOND).await;
    held.go.notify_one();
    assert_eq!(statuses(burst).await, [200; 4]);
    assert_eq!(statuses(standing).await, [503]);
    assert_eq!(statuses(more).await, [200]);
    assert_eq!(statuses(last).await, [503, 503, 200]);
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.queue), (0, 0));
    assert_eq!((snapshot.accepted, snapshot.rejected), (6, 3));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let held = Held::default();
    let limiter = Limiter::new(Gradient::fixed(1), Queue::default().length(1));
    let service = AdaptiveLimitLayer::new(limiter).layer(held.service());
    let tasks = send(&service, 0..3);
    sleep(5 * MILLISECOND).await;
    held.go.notify_one();
    sleep(MILLISECOND).await;
    held.go.notify_one();
    assert_eq!(statuses(tasks).await, [200, 200, 503]);
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_leave_no_trace() {
    let held = Held::default();
    let limiter = Limiter::new(Gradient::fixed(1), Queue::default());
    let service = AdaptiveLimitLayer::new(limiter.clone()).layer(held.service());
    let tasks = send(&service, 0..3);
    sleep(5 * MILLISECOND).await;
    // The one that runs, and one that waits; the other one gets the place.
    tasks[0].abort();
    tasks[1].abort();
    sleep(MILLISECOND).await;
    assert_eq!(*held.order.lock().unwrap().last().unwrap(), 2);
    assert_eq!(limiter.snapshot().in_flight, 1);
    tasks[2].abort();
    sleep(MILLISECOND).await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.queue), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_granted_to_a_dropped_future_goes_to_the_next() {
    let held = Held::default();
    let limiter = Limiter::new(Gradient::fixed(1), Queue::default());
    let mut service = AdaptiveLimitLayer::new(limiter.clone()).layer(held.service());
    let mut first = Box::pin(service.call(Request::new(0)));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(service.call(Request::new(1)));
    assert!(futures_util::poll!(&mut second).is_pending());
    let mut third = Box::pin(service.call(Request::new(2)));
    assert!(futures_util::poll!(&mut third).is_pending());
    drop(first);
    // It is the second's now, which never looks.
    drop(second);
    assert!(futures_util::poll!(&mut third).is_pending());
    assert_eq!(*held.order.lock().unwrap(), [0, 2]);
    drop(third);
    assert_eq!(limiter.snapshot().in_flight, 0);
}

/// What does no work and comes in between, hundreds of times a window.
#[derive(Clone, Copy, Debug)]
enum Noise {
    /// A client that is gone as soon as its request has arrived.
    BrokenOff,
    /// A request that is answered with 404, at once.
    NotFound,
    /// One that is answered with 502, at once, as by a proxy whose backend is down.
    BadGateway,
    /// One that fails at once.
    Failed,
}

/// Fifteen clients of a service that takes 10 ms, under a limit of twenty: they fit, and go on to fit when for a second there were
/// thousands of requests that nobody did any work for. Had those counted, the base would be their time, and 10 ms much too long.
#[tokio::test(start_paused = true)]
async fn requests_without_work_do_not_shrink_the_limit() {
    for noise in [
        Noise::BrokenOff,
        Noise::NotFound,
        Noise::BadGateway,
        Noise::Failed,
    ] {
        let limiter = Limiter::new(Gradient::default(), Queue::none());
        let service = service_fn(move |request: Request<bool>| async move {
            let mut response = Response::new(String::new());
            if *request.body() {
                sleep(10 * MILLISECOND).await;
                return Ok(response);
            }
            *response.status_mut() = match noise {
                Noise::Failed => return Err("failed"),
                Noise::BadGateway => StatusCode::BAD_GATEWAY,
                Noise::BrokenOff | Noise::NotFound => StatusCode::NOT_FOUND,
            };
            Ok(response)
        });
        let service = AdaptiveLimitLayer::new(limiter.clone()).layer(service);
        let begun = Instant::now();
        let honest: Vec<_> = (0..15)
            .map(|_| {
                let service = service.clone();
                tokio::spawn(async move {
                    while begun.elapsed() < Duration::from_secs(5) {
                        let response = service.clone().oneshot(Request::new(true)).await.unwrap();
                        assert_eq!(response.status(), StatusCode::OK, "{noise:?}");
                    }
                })
            })
            .collect();
        while begun.elapsed() < Duration::from_secs(1) {
            for _ in 0..20 {
                let works = matches!(noise, Noise::BrokenOff);
                let mut service = service.clone();
                let response = service.ready().await.unwrap().call(Request::new(works));
                let expected = match noise {
                    Noise::BrokenOff => {
                        drop(response);
                        continue;
                    }
                    Noise::NotFound => Ok(StatusCode::NOT_FOUND),
                    Noise::BadGateway => Ok(StatusCode::BAD_GATEWAY),
                    Noise::Failed => Err("failed"),
                };
                assert_eq!(response.await.map(|response| response.status()), expected);
            }
            sleep(MILLISECOND).await;
        }
        for client in honest {
            client.await.unwrap();
        }
        let LimiterSnapshot {
            limit, rejected, ..
        } = limiter.snapshot();
        assert!(limit >= 20, "{noise:?}: {limit}");
        assert_eq!(rejected, 0, "{noise:?}");
    }
}

/// Clients that give up on a service that has become slow do say something: the limit shrinks though nobody is answered.
#[tokio::test(start_paused = true)]
async fn requests_given_up_late_shrink_the_limit() {
    let limiter = Limiter::new(Gradient::default(), Queue::none());
    let service = service_fn(|request: Request<Duration>| async move {
        sleep(*request.body()).await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = AdaptiveLimitLayer::new(limiter.clone()).layer(service);
    let ask = |takes| service.clone().oneshot(Request::new(takes));
    for _ in 0..50 {
        ask(10 * MILLISECOND).await.unwrap();
    }
    let before = limiter.snapshot().limit;
    for _ in 0..20 {
        let asked: Vec<_> = (0..before)
            .map(|_| tokio::time::timeout(100 * MILLISECOND, ask(Duration::from_secs(9))))
            .collect();
        futures_util::future::join_all(asked).await;
    }
    let after = limiter.snapshot().limit;
    assert!(after < before, "{after} of {before}");
}
