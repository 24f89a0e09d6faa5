//! The layer's bounds, by bodies made for the purpose and a paused clock.
#![cfg(not(pool_loom))]

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_pool::{
    AcquireError, BodyError, BodyPool, LeakTracking, Pool, PooledBody, PooledBodyLayer,
};

const KIB: usize = 1 << 10;

/// What a body does next.
enum Act {
    Data(Bytes),
    Empty(usize),
    Trailers(HeaderMap),
    Sleep(Duration),
    Stall,
    /// Nothing for one poll.
    Pause,
    Reset,
}

/// A body that follows a script and announces what it likes.
struct Scripted {
    acts: VecDeque<Act>,
    announced: Option<u64>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Scripted {
    fn new(announced: Option<u64>, acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            acts: acts.into_iter().collect(),
            announced,
            sleep: None,
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.acts.pop_front() {
                None => return Poll::Ready(None),
                Some(Act::Data(data)) => {
                    let sent = data.len() as u64;
                    self.announced = self.announced.map(|rest| rest.saturating_sub(sent));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Act::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Some(Act::Empty(count)) => {
                    if count > 1 {
                        self.acts.push_front(Act::Empty(count - 1));
                    }
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::new()))));
                }
                Some(Act::Sleep(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Act::Stall) => {
                    self.acts.push_front(Act::Stall);
                    return Poll::Pending;
                }
                Some(Act::Pause) => return Poll::Pending,
                Some(Act::Reset) => {
                    return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn data(length: usize) -> Act {
    Act::Data(Bytes::from(vec![b'x'; length]))
}

/// Everything came home, nothing waits, and what exists is idle.
fn assert_home(pool: &Pool, case: &str) {
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0), "{case}: {stats:?}");
    assert_eq!(stats.idle_bytes(), stats.allocated, "{case}");
}

async fn answer(pool: &BodyPool, body: Scripted) -> Response<Full<Bytes>> {
    let service = PooledBodyLayer::new(pool.clone()).layer(service_fn(
        |request: Request<PooledBody>| async move {
            let body = request.into_body();
            let text = format!(
                "{} {} {}",
                body.len(),
                body.is_pooled(),
                body.trailers().is_some()
            );
            assert!(body.iter().all(|&byte| byte == b'x'));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
        },
    ));
    service.oneshot(Request::new(body)).await.unwrap()
}

async fn text(response: Response<Full<Bytes>>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_body_gets_its_status_and_leaves_nothing_behind() {
    let trailers = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", "1".parse().unwrap());
        Act::Trailers(trailers)
    };
    let minute = Duration::from_secs(60);
    type Case = (&'static str, Option<u64>, Vec<Act>, u16, &'static str);
    let cases: Vec<Case> = vec![
        ("no body", Some(0), vec![], 200, "0 false false"),
        (
            "one frame is not copied",
            Some(100),
            vec![data(100)],
            200,
            "100 false false",
        ),
        (
            "one frame and trailers",
            None,
            vec![data(100), trailers()],
            200,
            "100 false true",
        ),
        (
            "trailers alone",
            None,
            vec![trailers()],
            200,
            "0 false true",
        ),
        (
            "several frames",
            Some(9000),
            vec![data(1000), data(8000)],
            200,
            "9000 true false",
        ),
        (
            "growth through all classes",
            None,
            (0..200).map(|_| data(5 * KIB)).collect(),
            200,
            "1024000 true false",
        ),
        (
            "up to the limit",
            None,
            (0..256).map(|_| data(4 * KIB)).collect(),
            200,
            "1048576 true false",
        ),
        (
            "a byte over the limit",
            None,
            (0..256).map(|_| data(4 * KIB)).chain([data(1)]).collect(),
            413,
            "the request body is larger than 1048576 bytes\n",
        ),
        (
            "announced over the limit",
            Some(1 << 40),
            vec![Act::Stall],
            413,
            "the request body is larger than 1048576 bytes\n",
        ),
        (
            "announced more than sent",
            Some(1 << 20),
            vec![data(1), data(1)],
            200,
            "2 true false",
        ),
        (
            "announced less than sent",
            Some(10),
            vec![data(9000), data(9000)],
            200,
            "18000 true false",
        ),
        (
            "empty frames by the thousand",
            None,
            vec![data(1), Act::Empty(50_000), data(1)],
            200,
            "2 true false",
        ),
        (
            "a stall",
            Some(100),
            vec![data(50), Act::Stall],
            408,
            "the request body did not arrive in time\n",
        ),
        (
            "a stall in a pooled body",
            Some(100),
            vec![data(1), data(1), Act::Stall],
            408,
            "the request body did not arrive in time\n",
        ),
        (
            "slow, but done",
            Some(2),
            vec![data(1), Act::Sleep(minute / 4), data(1)],
            200,
            "2 true false",
        ),
        (
            "a byte now and then",
            None,
            (0..100)
                .flat_map(|_| [data(1), Act::Sleep(minute / 60)])
                .collect(),
            408,
            "the request body did not arrive in time\n",
        ),
        (
            "reset in mid-body",
            Some(100),
            vec![data(50), data(1), Act::Reset],
            400,
            "the request body could not be read\n",
        ),
        (
            "reset at once",
            Some(100),
            vec![Act::Reset],
            400,
            "the request body could not be read\n",
        ),
    ];
    let pool = Pool::new();
    let bodies = BodyPool::new(pool.clone()).limit(1 << 20);
    for (case, announced, acts, status, wanted) in cases {
        let response = answer(&bodies, Scripted::new(announced, acts)).await;
        assert_eq!(response.status().as_u16(), status, "case {case}");
        assert_eq!(text(response).await, wanted, "case {case}");
        assert_home(&pool, case);
    }
}

#[tokio::test(start_paused = true)]
async fn an_announcement_holds_no_more_memory_than_what_arrived_vouches_for() {
    let pool = Pool::new();
    let bodies = BodyPool::new(pool.clone());
    let mut reading = by_hand(bodies.collect(Scripted::new(
        Some(1 << 20),
        [data(10), data(10), Act::Stall],
    )));
    assert!(reading.once().is_pending());
    assert_eq!(pool.stats().allocated, 4 * KIB);
    drop(reading);
    let mut reading = by_hand(bodies.collect(Scripted::new(
        Some(1 << 20),
        [data(10 * KIB), data(10 * KIB), Act::Stall],
    )));
    assert!(reading.once().is_pending());
    assert_eq!(pool.stats().in_use, 1);
    assert_eq!(
        pool.stats().classes[4].in_use,
        1,
        "the announcement was not used"
    );
    drop(reading);
    assert_home(&pool, "after cancelling");
}

/// A future polled by hand.
struct ByHand<F>(Pin<Box<F>>);

fn by_hand<F: Future>(future: F) -> ByHand<F> {
    ByHand(Box::pin(future))
}

impl<F: Future> ByHand<F> {
    fn once(&mut self) -> Poll<F::Output> {
        self.0
            .as_mut()
            .poll(&mut Context::from_waker(std::task::Waker::noop()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_waited_for_and_then_refused() {
    let pool = Pool::builder()
        .classes([4 * KIB])
        .limit(4 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone()).budget_wait(Duration::from_secs(2));
    let held = pool.try_acquire(1).unwrap();
    let response = answer(&bodies, Scripted::new(None, [data(1), data(1)])).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    // A frame that needs no memory of ours passes.
    assert_eq!(
        answer(&bodies, Scripted::new(None, [data(1)]))
            .await
            .status(),
        200
    );
    // One that comes home in time is used.
    let (response, ()) = tokio::join!(
        answer(&bodies, Scripted::new(None, [data(1), data(1)])),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(held);
        }
    );
    assert_eq!(response.status(), 200);
    assert_home(&pool, "after waiting");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_grows_waits_ahead_of_those_that_hold_nothing() {
    let pool = Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .limit(20 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone());
    let held = pool.try_acquire(16 * KIB).unwrap();
    let growing = bodies.collect(Scripted::new(None, [data(1), data(KIB), data(5 * KIB)]));
    let mut growing = by_hand(growing);
    let mut newcomer = by_hand(bodies.collect(Scripted::new(None, [data(1), data(KIB)])));
    assert!(growing.once().is_pending());
    assert!(newcomer.once().is_pending());
    assert_eq!(pool.stats().waiting, 2);
    drop(held);
    let Poll::Ready(Ok(grown)) = growing.once() else {
        panic!("growth was not served first")
    };
    assert_eq!(grown.len(), 6 * KIB + 1);
    assert!(
        matches!(newcomer.once(), Poll::Ready(Ok(_))),
        "the block left behind serves the next"
    );
    drop((grown, growing, newcomer));
    assert_home(&pool, "after growth");
}

#[tokio::test(start_paused = true)]
async fn time_spent_waiting_for_memory_is_not_counted_against_the_sender() {
    let pool = Pool::builder()
        .classes([4 * KIB])
        .limit(4 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone())
        .budget_wait(Duration::from_secs(100))
        .receive_timeout(Duration::from_secs(10));
    let held = pool.try_acquire(1).unwrap();
    let second = Duration::from_secs(1);
    let body = Scripted::new(
        None,
        [
            data(1),
            Act::Sleep(second),
            data(1),
            Act::Sleep(5 * second),
            data(1),
        ],
    );
    let (read, ()) = tokio::join!(bodies.collect(body), async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(held);
    });
    assert_eq!(read.unwrap().len(), 3);
    assert_home(&pool, "after waiting");
}

#[tokio::test(start_paused = true)]
async fn a_closing_pool_fails_the_bodies_that_wait() {
    let pool = Pool::builder()
        .classes([4 * KIB])
        .limit(4 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone());
    let held = pool.try_acquire(1).unwrap();
    let (read, closed) = tokio::join!(
        bodies.collect(Scripted::new(None, [data(1), data(1)])),
        pool.close(Duration::from_secs(1)),
    );
    assert!(
        matches!(read, Err(BodyError::NoMemory(AcquireError::Closed))),
        "{read:?}"
    );
    assert_eq!(closed.unwrap_err().in_use, 1);
    drop(held);
    pool.close(Duration::ZERO).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelling_at_any_point_leaks_nothing() {
    let pool = Pool::builder()
        .classes([64, 256, 1024])
        .limit(2048)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone());
    let acts = || {
        (0..12)
            .flat_map(|_| [data(50), Act::Sleep(Duration::from_millis(1))])
            .collect::<Vec<_>>()
    };
    for polls in 0..14 {
        for held in [None, Some(pool.try_acquire(1024).unwrap())] {
            let mut reading = Box::pin(bodies.collect(Scripted::new(None, acts())));
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    read = &mut reading => assert!(read.is_ok()),
                    () = tokio::time::sleep(Duration::from_micros(1100)) => continue,
                }
                break;
            }
            drop((reading, held));
            assert_eq!(pool.stats().waiting, 0);
        }
        assert_home(&pool, &format!("cancelled after {polls} polls"));
    }
}

#[tokio::test(start_paused = true)]
async fn of_bodies_that_wait_for_each_other_one_is_refused_at_once() {
    let pool = Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .limit(20 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone()).budget_wait(Duration::from_secs(3600));
    let acts = || {
        [
            data(1),
            data(KIB),
            Act::Sleep(Duration::from_secs(1)),
            data(8 * KIB),
        ]
    };
    let start = tokio::time::Instant::now();
    let all = (0..5).map(|_| tokio::spawn(bodies.collect(Scripted::new(None, acts()))));
    let all: Vec<_> = all.collect();
    let mut sizes = Vec::new();
    for one in all {
        match one.await.unwrap() {
            Ok(body) => sizes.push(body.len()),
            Err(error) => assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE),
        }
    }
    assert!(!sizes.is_empty(), "nobody was served");
    assert!(sizes.iter().all(|&size| size == 9 * KIB + 1), "{sizes:?}");
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "somebody waited in vain"
    );
    assert_home(&pool, "after refusing");
}

#[tokio::test(start_paused = true)]
async fn large_frames_are_held_within_the_limit_and_let_go_at_any_point() {
    let pool = Pool::builder()
        .classes([4 * KIB, 64 * KIB, 256 * KIB])
        .limit(320 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone());
    let pause = || Act::Sleep(Duration::from_millis(1));
    // Held, then held under a larger promise, then copied for the sake of a small one.
    let acts = || {
        let sizes = [20, 20, 20, 40, 100, 1, 20];
        sizes
            .map(|size| [data(size * KIB), pause()])
            .into_iter()
            .flatten()
    };
    for polls in 0..8 {
        let mut reading = Box::pin(bodies.collect(Scripted::new(None, acts())));
        let mut body = None;
        for _ in 0..polls {
            tokio::select! {
                biased;
                read = &mut reading => {
                    body = Some(read.unwrap());
                    break;
                }
                () = tokio::time::sleep(Duration::from_micros(1100)) => {}
            }
            let stats = pool.stats();
            assert!(stats.allocated <= stats.limit);
        }
        let stats = pool.stats();
        match (polls, &body) {
            (0, _) => assert_eq!(stats.in_use, 0),
            (_, None) => assert!(stats.in_use <= 1, "after {polls} polls"),
            (_, Some(body)) => assert_eq!(body.len(), 221 * KIB),
        }
        drop((reading, body));
        assert_home(&pool, &format!("cut after {polls} polls"));
    }
    // Whole, it is one block, and the promise is gone.
    let body = bodies.collect(Scripted::new(None, acts())).await.unwrap();
    assert!(body.is_pooled() && body.iter().all(|&byte| byte == b'x'));
    assert_eq!((body.len(), pool.stats().in_use), (221 * KIB, 1));
    drop(body);
    // At the limit the promise is waited for, with no more than a frame in hand.
    let held = pool.try_acquire(256 * KIB).unwrap();
    let more = pool.try_acquire(64 * KIB).unwrap();
    let mut reading = by_hand(bodies.collect(Scripted::new(
        Some(200 * KIB as u64),
        [data(100 * KIB), data(100 * KIB)],
    )));
    assert!(reading.once().is_pending());
    assert_eq!(pool.stats().waiting, 1);
    drop(held);
    let Poll::Ready(Ok(body)) = reading.once() else {
        panic!("the promise was not kept");
    };
    assert_eq!(body.len(), 200 * KIB);
    drop((body, more, reading));
    assert_home(&pool, "after waiting");
}

/// Says when it is dropped.
struct Watched {
    bytes: Vec<u8>,
    _alive: std::sync::Arc<()>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Frames of a buffer that a connection read `frames` chunks of 1,000 bytes into, heads of 6 bytes between them.
fn run(frames: usize, alive: &std::sync::Arc<()>) -> Vec<Bytes> {
    let read = Bytes::from_owner(Watched {
        bytes: vec![b'x'; frames * 1006],
        _alive: alive.clone(),
    });
    let starts = (0..frames).map(|number| number * 1006 + 6);
    starts
        .map(|start| read.slice(start..start + 1000))
        .collect()
}

/// As hyper's connections give frames: one, then none until they are polled again.
fn one_a_poll(frames: Vec<Bytes>) -> impl Iterator<Item = Act> {
    let acts = |frame| [Act::Data(frame), Act::Pause];
    frames.into_iter().flat_map(acts)
}

#[tokio::test(start_paused = true)]
async fn runs_of_small_frames_are_held_when_the_last_body_came_in_runs() {
    let pool = Pool::builder().limit(1 << 20).build().unwrap();
    let bodies = BodyPool::new(pool.clone());
    let alive = std::sync::Arc::new(());
    let held = || std::sync::Arc::strong_count(&alive) > 1;
    // The first is copied as it comes, the next is held, and after one that trickles the next is copied again.
    for (case, rest, is_held) in [
        ("first", 40, false),
        ("after a burst", 40, true),
        ("after a burst, and short", 1, true),
        ("after a short one", 40, false),
    ] {
        let length = (3 + rest) * 1000;
        // The sender is late once. What comes then is in another buffer.
        let acts = one_a_poll(run(3, &alive))
            .chain([Act::Pause])
            .chain(one_a_poll(run(rest, &std::sync::Arc::new(()))));
        let body = Scripted::new(None, acts);
        let mut reading = by_hand(bodies.collect(body));
        for _ in 0..3 {
            assert!(reading.once().is_pending(), "{case}");
        }
        assert_eq!(held(), is_held, "{case}: one poll without a frame");
        assert!(reading.once().is_pending(), "{case}");
        assert!(
            !held(),
            "{case}: a short run is let go when the sender is late"
        );
        let read = loop {
            if let Poll::Ready(read) = reading.once() {
                break read.unwrap();
            }
        };
        assert_eq!(read.len(), length, "{case}");
        assert!(
            read.is_pooled() && read.iter().all(|&byte| byte == b'x'),
            "{case}"
        );
        drop(read);
        assert_home(&pool, case);
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_refused_body_is_read_as_long_as_it_comes() {
    let pool = Pool::builder()
        .classes([4 * KIB])
        .limit(8 * KIB)
        .build()
        .unwrap();
    let second = Duration::from_secs(1);
    let bodies = BodyPool::new(pool.clone())
        .budget_wait(10 * second)
        .receive_timeout(5 * second);
    let _held = [1, 1].map(|size| pool.try_acquire(size).unwrap());
    let paced = |count: usize| (0..count).flat_map(move |_| [Act::Sleep(second / 2), data(1)]);
    for (case, rest, seconds) in [
        ("it ends", paced(6).collect::<Vec<_>>(), 3),
        ("it stalls", vec![data(1), Act::Stall], 1),
        ("it is reset", vec![data(1), Act::Reset], 0),
        ("it takes too long", paced(100).collect(), 5),
        (
            "it is larger than the limit",
            (0..9).map(|_| data(KIB)).chain([Act::Stall]).collect(),
            0,
        ),
        ("empty frames by the thousand", vec![Act::Empty(50_000)], 0),
    ] {
        let start = tokio::time::Instant::now();
        let acts = [data(1), data(1)].into_iter().chain(rest);
        let (read, ()) = tokio::join!(bodies.collect(Scripted::new(None, acts)), async {
            tokio::time::sleep(10 * second + Duration::from_millis(1)).await;
            assert_eq!(pool.stats().waiting, 0, "case {case}");
        });
        assert!(
            matches!(read, Err(BodyError::NoMemory(AcquireError::Timeout))),
            "case {case}: {read:?}"
        );
        let took = (start.elapsed() - 10 * second).as_secs_f64();
        assert!(
            (took - f64::from(seconds)).abs() < 0.1,
            "case {case}: {took} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_had_is_too_large_and_not_worth_another_try() {
    let pool = Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .limit(20 * KIB)
        .build()
        .unwrap();
    // The pool's limit counts, whatever is set.
    let bodies = BodyPool::new(pool.clone()).limit(1 << 20);
    for (case, announced, acts) in [
        ("announced", Some(21 * KIB as u64), vec![Act::Stall]),
        ("arrived", None, (0..6).map(|_| data(4 * KIB)).collect()),
    ] {
        let response = answer(&bodies, Scripted::new(announced, acts)).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{case}");
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
        assert_home(&pool, case);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_longer_than_the_clock_reaches_is_a_wait() {
    let pool = Pool::builder()
        .classes([4 * KIB])
        .limit(4 * KIB)
        .build()
        .unwrap();
    let bodies = BodyPool::new(pool.clone())
        .budget_wait(Duration::MAX)
        .receive_timeout(Duration::MAX);
    let held = pool.try_acquire(1).unwrap();
    let hour = Duration::from_secs(3600);
    let body = Scripted::new(None, [data(1), Act::Sleep(hour), data(1)]);
    let (read, ()) = tokio::join!(bodies.collect(body), async {
        tokio::time::sleep(5 * hour).await;
        drop(held);
    });
    assert_eq!(read.unwrap().len(), 2);
}

#[tokio::test]
async fn leak_tracking_names_the_line_that_read_or_set_up() {
    let pool = Pool::builder()
        .leak_tracking(LeakTracking::On)
        .build()
        .unwrap();
    let (bodies, set_up) = (BodyPool::new(pool.clone()), line!());
    let two = || Scripted::new(None, [data(1), data(1)]);
    let (own, read) = (bodies.collect(two()), line!());
    let own = own.await.unwrap();
    let service =
        PooledBodyLayer::new(bodies).layer(service_fn(async |request: Request<PooledBody>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(
                request.into_body().into_bytes(),
            )))
        }));
    let layered = service.oneshot(Request::new(two())).await.unwrap();
    let named = |leak: &tower_pool::Leak| (leak.location.file(), leak.location.line());
    let leaks: Vec<_> = pool.leaks().iter().map(named).collect();
    assert_eq!(leaks, [(file!(), read), (file!(), set_up)]);
    drop((own, layered));
    assert_eq!(pool.leaks().len(), 0);
}

#[tokio::test]
async fn the_rejection_may_be_chosen_and_readiness_is_the_inner_services() {
    let bodies = BodyPool::new(Pool::new()).limit(1);
    let layer = PooledBodyLayer::new(bodies).rejection(|error: &BodyError| {
        Response::builder()
            .status(418)
            .body(error.to_string())
            .unwrap()
    });
    let mut service = layer.layer(service_fn(|_: Request<PooledBody>| async {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service)
        .await
        .unwrap();
    let response = ready
        .call(Request::new(Full::<Bytes>::from("ab")))
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.body().as_str()),
        (418, "the request body is larger than 1 bytes")
    );
}
