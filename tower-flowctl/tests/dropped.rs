//! Futures that are dropped at each of their waits: what they had goes back.

use std::{convert::Infallible, future::Future, pin::pin, time::Duration};

use futures_util::poll;
use http::{Request, Response, StatusCode};
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_flowctl::limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Polls a future so often, a millisecond apart, and drops it; whether it had ended by then.
async fn abandon(future: impl Future, polls: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll!(future.as_mut()).is_ready() {
            return true;
        }
        sleep(MILLISECOND).await;
    }
    false
}

/// A limit of one, with a request that has its place for five milliseconds, or none; one that is given up; and a third that gets
/// what it leaves.
#[tokio::test(start_paused = true)]
async fn requests_under_the_adaptive_limit() {
    for others in [0, 1, 2] {
        let mut ended = 0;
        for polls in 0..30 {
            let limiter = Limiter::new(Gradient::fixed(1), Queue::default());
            let service = service_fn(|_: Request<()>| async {
                for _ in 0..5 {
                    sleep(MILLISECOND).await;
                }
                Ok::<_, Infallible>(Response::new(String::new()))
            });
            let service = AdaptiveLimitLayer::new(limiter.clone()).layer(service);
            let request = || service.clone().oneshot(Request::new(()));
            let before: Vec<_> = (0..others).map(|_| tokio::spawn(request())).collect();
            tokio::task::yield_now().await;
            ended += usize::from(abandon(request(), polls).await);
            let last = request().await.unwrap();
            let case = format!("{others} before it, and {polls} polls");
            assert_eq!(last.status(), StatusCode::OK, "{case}");
            for other in before {
                assert_eq!(other.await.unwrap().unwrap().status(), 200, "{case}");
            }
            let snapshot = limiter.snapshot();
            assert_eq!((snapshot.in_flight, snapshot.queue), (0, 0), "{case}");
        }
        // Some were dropped early, and some late enough to have ended.
        assert!((1..30).contains(&ended), "{ended} with {others} before");
    }
}

#[cfg(feature = "breaker")]
#[tokio::test(start_paused = true)]
async fn requests_under_a_breaker() {
    use tower_flowctl::breaker::{Breaker, BreakerState};

    let breaker = Breaker::builder().build();
    let service = service_fn(|_: Request<()>| async {
        for _ in 0..5 {
            sleep(MILLISECOND).await;
        }
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = breaker.layer("/x").layer(service);
    let mut ended = 0;
    for polls in 0..10 {
        ended += usize::from(abandon(service.clone().oneshot(Request::new(())), polls).await);
    }
    assert!((1..10).contains(&ended), "{ended}");
    sleep(Duration::from_secs(15)).await;
    let snapshot = breaker.snapshot();
    // Those that were not answered are no samples.
    assert_eq!(snapshot.routes[0].samples, ended as u64);
    assert_eq!(snapshot.routes[0].passed, 9, "one was never polled");
    assert_eq!(snapshot.routes[0].state, BreakerState::Closed);
}

/// Ten clients, and a listener that is asked for them by futures that are dropped after each poll.
#[cfg(feature = "admission")]
#[tokio::test]
async fn accepting() {
    use tokio::net::{TcpListener, TcpStream};
    use tower_flowctl::admission::{Admission, Limits};

    for polls in 1..4 {
        let admission = Admission::builder().limits(Limits::none()).build().unwrap();
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = inner.local_addr().unwrap();
        let mut listener = admission.listener(inner);
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let mut accepted = Vec::new();
        while accepted.len() < 10 {
            let mut accept = pin!(listener.accept());
            for _ in 0..polls {
                if let std::task::Poll::Ready((stream, _)) = poll!(accept.as_mut()) {
                    accepted.push(stream);
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(admission.snapshot().open, 10);
        drop((accepted, clients));
        assert_eq!(admission.snapshot().open, 0, "{polls} polls");
    }
}
