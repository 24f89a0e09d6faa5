//! Many threads at once, at the limit and below it, with somebody who looks, somebody who trims, and threads that
//! come and go. Worth most under a sanitizer: `tower-pool/sanitize.sh`.
#![cfg(not(pool_loom))]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tower_pool::{Maintenance, ObjectPool, Pool, PooledBuf, PressureGauge};

const ROUNDS: usize = 3_000;
const THREADS: usize = 4;

/// Fills a buffer with its owner's mark and finds nothing else in it.
fn use_buffer(buffer: &mut PooledBuf, mark: u8, length: usize) -> bool {
    if buffer.extend_from_slice(&vec![mark; length]).is_err() {
        return false;
    }
    assert!(buffer.iter().all(|&byte| byte == mark), "another's bytes");
    true
}

/// `limit` chooses between a pool that is always near its limit and one that never is.
fn storm(limit: usize) {
    let pool = Pool::builder()
        .classes([64, 256, 1024])
        .limit(limit)
        .lanes(2)
        .build()
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (send, receive) = mpsc::sync_channel::<(PooledBuf, u8)>(32);
    let receiver = thread::spawn(move || {
        for (buffer, mark) in receive {
            assert!(buffer.iter().all(|&byte| byte == mark), "another's bytes");
        }
    });
    let watcher = thread::spawn({
        let (pool, done) = (pool.clone(), done.clone());
        move || {
            let mut maintenance = Maintenance::new(pool.clone()).gauge(PressureGauge::off());
            while !done.load(Ordering::Relaxed) {
                assert!(pool.stats().allocated <= limit);
                maintenance.tick(Duration::from_secs(5));
                pool.trim_all();
                thread::yield_now();
            }
        }
    });
    let workers: Vec<_> = (1..=THREADS as u8)
        .map(|mark| {
            let (pool, send) = (pool.clone(), send.clone());
            thread::spawn(move || {
                for round in 0..ROUNDS {
                    let length = 1 + (round * 31 + usize::from(mark)) % 900;
                    let Ok(mut buffer) = pool.try_acquire(length.min(200)) else {
                        thread::yield_now();
                        continue;
                    };
                    if !use_buffer(&mut buffer, mark, length) {
                        continue;
                    }
                    match round % 4 {
                        0 => send.send((buffer, mark)).unwrap(),
                        1 => drop(buffer.freeze()),
                        2 if round % 100 == 2 => {
                            // A thread that comes, gets a slot, and goes.
                            let pool = pool.clone();
                            thread::spawn(move || {
                                drop(buffer);
                                for _ in 0..3 {
                                    drop(pool.try_acquire(64));
                                }
                            })
                            .join()
                            .unwrap();
                        }
                        _ => drop(buffer),
                    }
                }
            })
        })
        .collect();
    drop(send);
    for worker in workers {
        worker.join().unwrap();
    }
    receiver.join().unwrap();
    done.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0), "{stats:?}");
    assert_eq!(stats.idle_bytes(), stats.allocated, "{stats:?}");
    assert!(
        stats.classes.iter().all(|class| class.in_use == 0),
        "{stats:?}"
    );
}

#[test]
fn below_the_limit() {
    storm(1 << 20);
}

#[test]
fn at_the_limit() {
    storm(3 * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_are_all_served() {
    let pool = Pool::builder()
        .classes([64])
        .limit(2 * 64)
        .lanes(2)
        .build()
        .unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..16u8)
        .map(|mark| {
            let (pool, served) = (pool.clone(), served.clone());
            tokio::spawn(async move {
                for round in 0..100 {
                    if round % 10 == 9 {
                        // Somebody who loses patience, at whatever point that is.
                        tokio::select! {
                            biased;
                            () = tokio::task::yield_now() => {}
                            buffer = pool.acquire(1) => drop(buffer.unwrap()),
                        }
                        continue;
                    }
                    let mut buffer = pool.acquire(1).await.unwrap();
                    assert!(use_buffer(&mut buffer, mark, 64));
                    if round % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(served.load(Ordering::Relaxed), 16 * 90);
    assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0));
    pool.close(Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_under_load_ends_with_everything_home() {
    for _ in 0..20 {
        let pool: ObjectPool<Vec<u8>> = ObjectPool::plain(|| vec![0; 16], Vec::clear);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    while let Ok(mut object) = pool.acquire().await {
                        object.push(1);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        pool.close(Duration::from_secs(60)).await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 0));
    }
}
