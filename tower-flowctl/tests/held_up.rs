//! A process that was not run for a while: what looks like latency then turns nobody away.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response, StatusCode};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{advance, sleep},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_flowctl::limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue};

const MILLISECOND: Duration = Duration::from_millis(1);

/// So many requests at once, of which one can be answered at a time, and each takes ten milliseconds and `more` in two waits.
fn send(count: usize, more: Duration) -> Vec<JoinHandle<StatusCode>> {
    let limiter = Limiter::new(Gradient::fixed(1), Queue::default());
    let service = service_fn(move |_: Request<()>| async move {
        sleep(10 * MILLISECOND).await;
        sleep(more).await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = AdaptiveLimitLayer::new(limiter).layer(service);
    let send = |_| {
        let answer = service.clone().oneshot(Request::new(()));
        tokio::spawn(async { answer.await.unwrap().status() })
    };
    (0..count).map(send).collect()
}

async fn statuses(requests: Vec<JoinHandle<StatusCode>>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap().as_u16());
    }
    statuses
}

/// The time of those who wait is over while nobody runs, and nobody's answer can come. The first one's is due as soon as it goes
/// on; its place then goes to the newest, since the queue stands by now.
#[tokio::test(start_paused = true)]
async fn those_who_wait_are_given_more_time_than_has_passed() {
    let requests = send(3, 2 * MILLISECOND);
    sleep(MILLISECOND).await;
    advance(200 * MILLISECOND).await;
    assert_eq!(statuses(requests).await, [200, 503, 200]);
}

/// More time is given once: what is late again and again is overload.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_those_who_are_late_again() {
    // The first is never answered.
    let mut requests = send(2, Duration::MAX);
    let second = requests.pop().unwrap();
    sleep(MILLISECOND).await;
    for _ in 0..5 {
        advance(200 * MILLISECOND).await;
        // The timer's turn, and then that of who waits for it.
        yield_now().await;
        yield_now().await;
    }
    assert!(second.is_finished(), "it is given more time every time");
    assert_eq!(second.await.unwrap(), 503);
}

/// A service that is slow is none that stands still: timers are in time, and nobody waits for longer than he may.
#[tokio::test(start_paused = true)]
async fn a_slow_service_is_not_waited_for() {
    let begun = tokio::time::Instant::now();
    let mut requests = send(2, Duration::from_secs(1));
    assert_eq!(requests.pop().unwrap().await.unwrap(), 503);
    assert_eq!(begun.elapsed(), 100 * MILLISECOND);
}

/// For a tenth of a second in every window, of fifteen: those are one request in a hundred and fifty.
#[cfg(feature = "breaker")]
#[tokio::test(start_paused = true)]
async fn a_breaker_does_not_open_for_it() {
    use tokio::time::{Instant, sleep_until};
    use tower_flowctl::breaker::{Baseline, Baselines, Breaker, BreakerState};

    let ten = 10 * MILLISECOND;
    let baselines = Baselines::new().with("/x", Baseline::new(ten, ten, ten, 1000));
    let breaker = Breaker::builder().baselines(baselines).build();
    let service = service_fn(move |_: Request<()>| async move {
        sleep(ten).await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = breaker.layer("/x").layer(service);
    let begun = Instant::now();
    for number in 0..150 * 6_u32 {
        sleep_until(begun + 100 * MILLISECOND * number).await;
        let answer = tokio::spawn(service.clone().oneshot(Request::new(())));
        if number % 150 == 75 {
            sleep(MILLISECOND).await;
            advance(100 * MILLISECOND).await;
        }
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.routes[0].samples, 150);
    assert_eq!(snapshot.routes[0].state, BreakerState::Closed);
    assert_eq!(snapshot.routes[0].slow_windows, 0);
}
