//! The pool of objects: what may be handed out, what waits, what a failure or a cancelled acquisition leaves.
#![cfg(not(pool_loom))]

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower_pool::{
    AcquireError, LeakTracking, Manage, ObjectError, ObjectPool, PooledObject, Recycle, State,
};

/// Counts those that exist.
struct Thing {
    number: usize,
    alive: Arc<AtomicUsize>,
    broken: bool,
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thing {}", self.number)
    }
}

#[derive(Debug, PartialEq, Eq, Clone)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

/// Makes things by a script: each step takes a second and says whether it succeeds; then all succeed.
#[derive(Default)]
struct Maker {
    script: Mutex<VecDeque<bool>>,
    made: AtomicUsize,
    alive: Arc<AtomicUsize>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Manage<Thing> for Maker {
    type Error = Refused;

    async fn create(&self) -> Result<Thing, Refused> {
        tokio::time::sleep(SECOND).await;
        if !self.script.lock().unwrap().pop_front().unwrap_or(true) {
            return Err(Refused);
        }
        self.alive.fetch_add(1, Ordering::SeqCst);
        Ok(Thing {
            number: self.made.fetch_add(1, Ordering::SeqCst),
            alive: self.alive.clone(),
            broken: false,
        })
    }

    async fn validate(&self, thing: &mut Thing) -> bool {
        tokio::time::sleep(SECOND / 10).await;
        !thing.broken
    }

    fn recycle(&self, thing: &mut Thing) -> Recycle {
        match thing.number {
            100.. => Recycle::Discard,
            _ => Recycle::Keep,
        }
    }
}

fn pool(limit: usize) -> ObjectPool<Thing, Maker> {
    ObjectPool::builder(Maker::default())
        .limit(limit)
        .lanes(2)
        .build()
}

fn alive(pool: &ObjectPool<Thing, Maker>) -> usize {
    pool.manager().alive.load(Ordering::SeqCst)
}

fn assert_home(pool: &ObjectPool<Thing, Maker>, case: &str) {
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0), "{case}: {stats:?}");
    assert_eq!(stats.idle, alive(pool), "{case}");
}

type Acquiring<'a> =
    Pin<Box<dyn Future<Output = Result<PooledObject<Thing, Maker>, ObjectError<Refused>>> + 'a>>;

fn poll<'a>(
    future: &mut Acquiring<'a>,
) -> Poll<Result<PooledObject<Thing, Maker>, ObjectError<Refused>>> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn idle_objects_are_used_again_and_broken_ones_replaced() {
    let pool = pool(4);
    let first = pool.acquire().await.unwrap();
    let mut second = pool.acquire().await.unwrap();
    let third = pool.acquire().await.unwrap();
    second.broken = true;
    drop((first, third, second));
    assert_eq!((pool.stats().idle, pool.stats().misses), (3, 3));
    // The last one home is broken; the next is good.
    let fourth = pool.acquire().await.unwrap();
    assert_eq!(fourth.number, 2);
    assert_eq!((alive(&pool), pool.stats().idle), (2, 1));
    let owned = fourth.detach();
    assert_eq!(pool.stats().in_use, 0);
    pool.acquire().await.unwrap().discard();
    assert_eq!(alive(&pool), 1, "what was detached lives on, alone");
    drop(owned);
    assert_home(&pool, "at the end");
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_create_frees_the_place_and_is_told() {
    let pool = pool(1);
    pool.manager().script.lock().unwrap().extend([false, false]);
    let (first, second) = tokio::join!(pool.acquire(), pool.acquire());
    assert_eq!(first.unwrap_err(), ObjectError::Create(Refused));
    let error = second.unwrap_err();
    assert_eq!(error, ObjectError::Create(Refused));
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "refused"
    );
    assert_home(&pool, "after failures");
    assert_eq!(pool.acquire().await.unwrap().number, 0);
}

#[tokio::test(start_paused = true)]
async fn objects_grow_old_in_use_and_idle() {
    let pool = ObjectPool::builder(Maker::default())
        .max_idle(10 * SECOND)
        .max_age(60 * SECOND)
        .build();
    drop(pool.acquire().await.unwrap());
    tokio::time::sleep(9 * SECOND).await;
    assert_eq!(pool.acquire().await.unwrap().number, 0, "in time");
    tokio::time::sleep(11 * SECOND).await;
    assert_eq!(pool.acquire().await.unwrap().number, 1, "idle for too long");
    let out = pool.acquire().await.unwrap();
    assert!(out.age() >= SECOND / 20);
    tokio::time::sleep(61 * SECOND).await;
    drop(out);
    assert_eq!(alive(&pool), 0, "too old to be kept");
    drop(pool.acquire().await.unwrap());
    assert_eq!(pool.evict_expired(), 0);
    let maintained = tokio::spawn(pool.clone().maintain(5 * SECOND));
    tokio::time::sleep(16 * SECOND).await;
    assert_eq!(alive(&pool), 0, "nobody asked, but it was let go");
    pool.close(Duration::ZERO).await.unwrap();
    maintained.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_waited_for_in_order() {
    let pool = pool(1);
    let held = pool.acquire().await.unwrap();
    let timeout = pool.acquire_timeout(SECOND).await.unwrap_err();
    assert_eq!(timeout, ObjectError::Acquire(AcquireError::Timeout));
    let mut first: Acquiring<'_> = Box::pin(pool.acquire());
    let mut second: Acquiring<'_> = Box::pin(pool.acquire());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(pool.stats().waiting, 2);
    drop(held);
    assert!(poll(&mut second).is_pending(), "it is the first one's turn");
    drop(first);
    assert_eq!(second.await.unwrap().number, 0);
    assert_home(&pool, "after waiting");
}

#[tokio::test(start_paused = true)]
async fn cancelling_at_every_await_leaks_nothing() {
    let mut reached = std::collections::BTreeSet::new();
    for cut in 0..60 {
        let pool = pool(2);
        let held = pool.acquire().await.unwrap();
        let mut broken = pool.acquire().await.unwrap();
        broken.broken = true;
        // Waits for the limit, then judges a broken one, then makes a new one.
        let wait = async {
            tokio::time::sleep(SECOND / 2).await;
            drop(broken);
            std::future::pending::<()>().await;
        };
        let acquired = tokio::select! {
            biased;
            acquired = pool.acquire() => acquired.map(|thing| thing.number).ok(),
            () = wait => None,
            () = tokio::time::sleep(SECOND / 20 * cut) => None,
        };
        reached.insert((acquired, alive(&pool)));
        drop(held);
        let case = format!("cut after {cut} twentieths of a second");
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.waiting), (0, 0), "{case}: {stats:?}");
        assert_eq!(stats.idle, alive(&pool), "{case}");
        pool.close(Duration::ZERO).await.unwrap();
        assert_eq!(alive(&pool), 0, "{case}");
    }
    assert!(
        reached.len() >= 3,
        "the cuts did not reach every stage: {reached:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn closing_destroys_what_is_idle_and_names_what_is_out() {
    let pool = ObjectPool::builder(Maker::default())
        .leak_tracking(LeakTracking::On)
        .prewarm(2)
        .build();
    assert_eq!(pool.init().await.unwrap(), 2);
    assert_eq!(
        (pool.init().await.unwrap(), pool.state()),
        (0, State::Active)
    );
    let (out, line) = (pool.acquire().await.unwrap(), line!());
    let mut making: Acquiring<'_> = Box::pin(pool.acquire());
    // Judged, and cut by the closing.
    assert!(poll(&mut making).is_pending());
    let error = pool.close(SECOND).await.unwrap_err();
    assert_eq!((error.in_use, error.leaks.len()), (2, 1));
    assert_eq!(error.leaks[0].location.line(), line);
    drop(making);
    let refused = pool.acquire().await.unwrap_err();
    assert_eq!(refused, ObjectError::Acquire(AcquireError::Closed));
    drop(out);
    pool.close(Duration::ZERO).await.unwrap();
    assert_eq!((pool.state(), alive(&pool)), (State::Terminated, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_while_the_pool_closes_is_destroyed() {
    let pool = pool(1);
    let (made, closed) = tokio::join!(pool.acquire(), async {
        tokio::time::sleep(SECOND / 2).await;
        pool.close(60 * SECOND).await
    });
    assert_eq!(
        made.unwrap_err(),
        ObjectError::Acquire(AcquireError::Closed)
    );
    closed.unwrap();
    assert_eq!(alive(&pool), 0);
}

#[test]
fn a_panic_while_cleaning_loses_the_object_and_nothing_else() {
    let pool = ObjectPool::plain(
        || 0u32,
        |number| assert!(*number != 7, "as the test wants it"),
    );
    let mut object = pool.try_acquire().unwrap();
    *object = 7;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(object)));
    assert!(panicked.is_err());
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.idle, stats.misses), (0, 0, 1));
    assert_eq!(*pool.try_acquire().unwrap(), 0);
}

#[test]
fn objects_may_outlive_the_pool_and_change_threads() {
    let pool: ObjectPool<Vec<u8>> = ObjectPool::plain(|| Vec::with_capacity(64), Vec::clear);
    let mut object = pool.try_acquire().unwrap();
    object.push(1);
    let other = pool.try_acquire().unwrap();
    std::thread::spawn(move || drop(other)).join().unwrap();
    assert_eq!((pool.stats().in_use, pool.stats().idle), (1, 1));
    drop(pool);
    assert_eq!(*object, [1]);
}
