//! What a user of the pool sees: handing out, the limit, the queue, the end.
#![cfg(not(pool_loom))]

use std::{
    future::Future,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, BufMut};
use tower_pool::{AcquireError, ConfigError, LeakTracking, Pool, State, Wipe};

const KIB: usize = 1 << 10;

fn small(limit: usize) -> Pool {
    Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .limit(limit)
        .lanes(2)
        .build()
        .unwrap()
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let cases = [
        (
            "no class",
            Pool::builder().classes([]).build().unwrap_err(),
            ConfigError::NoClasses,
        ),
        (
            "zero",
            Pool::builder().classes([0]).build().unwrap_err(),
            ConfigError::Unordered { class: 0 },
        ),
        (
            "falling",
            Pool::builder().classes([8, 4]).build().unwrap_err(),
            ConfigError::Unordered { class: 4 },
        ),
        (
            "too many",
            Pool::builder().classes(1..=128).build().unwrap_err(),
            ConfigError::TooManyClasses {
                given: 128,
                most: 127,
            },
        ),
        (
            "limit",
            Pool::builder().limit(KIB).build().unwrap_err(),
            ConfigError::LimitTooSmall {
                limit: KIB,
                largest: 1 << 20,
            },
        ),
        (
            "prewarm",
            Pool::builder().prewarm(5, 1).build().unwrap_err(),
            ConfigError::UnknownClass { size: 5 },
        ),
    ];
    for (name, got, wanted) in cases {
        assert_eq!(got, wanted, "case {name}");
    }
}

#[test]
fn as_many_classes_as_can_be_told_apart_are_told_apart() {
    let pool = Pool::builder().classes(1..=127).build().unwrap();
    let out: Vec<_> = (1..=128)
        .map(|size| pool.try_acquire(size).unwrap())
        .collect();
    assert!((1..=127).all(|size| out[size - 1].capacity() == size));
    assert_eq!(out[127].capacity(), 254, "beyond the classes");
    drop(out);
    let stats = pool.stats();
    assert!(
        stats.classes.iter().all(|class| class.idle == 1),
        "{stats:?}"
    );
    assert_eq!(stats.allocated, stats.idle_bytes());
}

#[test]
fn a_buffer_comes_back_and_shows_nothing_of_its_past() {
    for wipe in [Wipe::Never, Wipe::OnRelease] {
        let pool = Pool::builder().wipe(wipe).build().unwrap();
        let mut first = pool.try_acquire(100).unwrap();
        first.extend_from_slice(&[0xAA; 4 * KIB]).unwrap();
        let address = first.as_ptr();
        drop(first);
        let mut second = pool.try_acquire(100).unwrap();
        assert!(second.is_empty() && second.chunk().is_empty());
        second.put_u8(1);
        assert_eq!(second.as_ptr(), address, "the block was not used again");
        assert_eq!(&second[..], [1], "{wipe:?}");
        assert_eq!(
            second.as_ptr() as usize % 64,
            0,
            "not aligned to a cache line"
        );
        let stats = pool.stats();
        assert_eq!((stats.hits(), stats.misses(), stats.in_use), (1, 1, 1));
    }
}

#[test]
fn frozen_bytes_bring_the_block_home_with_the_last_clone_on_any_thread() {
    let pool = Pool::new();
    let mut buffer = pool.try_acquire(10).unwrap();
    buffer.extend_from_slice(b"0123456789").unwrap();
    buffer.advance(2);
    let bytes = buffer.freeze();
    let slice = bytes.slice(3..5);
    drop(bytes);
    assert_eq!(pool.stats().in_use, 1);
    std::thread::spawn(move || assert_eq!(&slice[..], b"56"))
        .join()
        .unwrap();
    assert_eq!((pool.stats().in_use, pool.stats().idle()), (0, 1));
}

#[test]
fn a_buffer_outlives_its_pool() {
    let pool = Pool::new();
    let mut buffer = pool.try_acquire(10).unwrap();
    drop(pool);
    buffer.extend_from_slice(&vec![7; 100 * KIB]).unwrap();
    assert_eq!(buffer.len(), 100 * KIB);
    let frozen = buffer.freeze();
    assert!(frozen.iter().all(|&byte| byte == 7));
}

#[test]
fn the_limit_holds_for_idle_and_used_memory_together() {
    let pool = small(32 * KIB);
    let small_ones: Vec<_> = (0..8).map(|_| pool.try_acquire(1).unwrap()).collect();
    assert_eq!(pool.try_acquire(1).unwrap_err(), AcquireError::Exhausted);
    assert_eq!(pool.stats().allocated, 32 * KIB);
    drop(small_ones);
    assert_eq!(pool.stats().idle_bytes(), 32 * KIB);
    // Idle blocks of another class make room.
    let large = pool.try_acquire(16 * KIB).unwrap();
    assert!(pool.stats().allocated <= 32 * KIB);
    drop(large);
    assert_eq!(
        pool.try_acquire(33 * KIB).unwrap_err(),
        AcquireError::TooLarge {
            requested: 33 * KIB,
            limit: 32 * KIB
        }
    );
    // Beyond the classes, within the limit, unpooled.
    let huge = pool.try_acquire(20 * KIB).unwrap();
    assert_eq!(huge.capacity(), 32 * KIB);
    drop(huge);
    assert_eq!(pool.stats().allocated, 0);
}

#[test]
fn what_the_limit_leaves_of_a_multiple_is_handed_out() {
    let pool = small(20 * KIB);
    let mut buffer = pool.try_acquire(17 * KIB).unwrap();
    assert_eq!(buffer.capacity(), 20 * KIB);
    buffer.extend_from_slice(&[1; 20 * KIB]).unwrap();
    assert!(matches!(
        buffer.extend_from_slice(&[1]),
        Err(AcquireError::TooLarge { .. })
    ));
}

#[test]
fn a_number_of_lanes_that_no_machine_has_use_for_is_bounded() {
    let pool = Pool::builder().lanes(usize::MAX).build().unwrap();
    drop(pool.try_acquire(1).unwrap());
    assert_eq!(pool.stats().idle(), 1);
}

#[test]
fn what_is_made_in_advance_is_made_once_and_not_after_the_first_acquisition() {
    let build = || Pool::builder().prewarm(4 * KIB, 3).build().unwrap();
    let pool = build();
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| pool.init())).collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!((made, pool.stats().idle()), (3, 3));
    let used = build();
    drop(used.try_acquire(1).unwrap());
    assert_eq!((used.init(), used.stats().idle()), (0, 1));
}

#[test]
fn growth_stops_at_the_limit_and_leaves_the_buffer_whole() {
    let pool = small(20 * KIB);
    let mut buffer = pool.try_acquire(1).unwrap();
    buffer.extend_from_slice(&[1; 4 * KIB]).unwrap();
    buffer.extend_from_slice(&[2; 10 * KIB]).unwrap();
    let error = buffer.extend_from_slice(&[3; 10 * KIB]).unwrap_err();
    assert_eq!(
        error,
        AcquireError::TooLarge {
            requested: 24 * KIB,
            limit: 20 * KIB
        }
    );
    assert_eq!(buffer.len(), 14 * KIB);
    assert_eq!((buffer[0], buffer[5 * KIB]), (1, 2));
    let other = pool.try_acquire(1).unwrap();
    assert_eq!(pool.try_acquire(1).unwrap_err(), AcquireError::Exhausted);
    drop((buffer, other));
    assert_eq!(pool.stats().in_use, 0);
    assert!(pool.stats().classes.iter().all(|class| class.in_use == 0));
}

#[test]
fn waiters_are_served_in_order_and_cancelled_ones_are_skipped() {
    let pool = small(16 * KIB);
    let held = pool.try_acquire(16 * KIB).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(pool.acquire(16 * KIB))).collect();
    for future in &mut waiting {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(pool.stats().waiting, 3);
    drop(held);
    // Granted to the first, who goes away without looking: the second gets it.
    drop(waiting.remove(0));
    assert!(waiting[1].as_mut().poll(&mut cx).is_pending());
    let Poll::Ready(Ok(buffer)) = waiting[0].as_mut().poll(&mut cx) else {
        panic!("the second in the queue was not served");
    };
    assert_eq!(pool.try_acquire(1).unwrap_err(), AcquireError::Exhausted);
    drop(buffer);
    let Poll::Ready(Ok(buffer)) = waiting[1].as_mut().poll(&mut cx) else {
        panic!("the third in the queue was not served");
    };
    drop((buffer, waiting));
    let stats = pool.stats();
    assert_eq!(
        (stats.waiting, stats.in_use, stats.allocated),
        (0, 0, 16 * KIB)
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_is_bounded() {
    let pool = small(16 * KIB);
    let held = pool.acquire(16 * KIB).await.unwrap();
    let error = pool
        .acquire_timeout(1, Duration::from_secs(3))
        .await
        .unwrap_err();
    assert_eq!(error, AcquireError::Timeout);
    assert_eq!(pool.stats().waiting, 0);
    drop(held);
    assert!(pool.acquire_timeout(1, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_what_is_out_and_names_what_leaked() {
    let pool = Pool::builder()
        .leak_tracking(LeakTracking::On)
        .prewarm(4 * KIB, 3)
        .build()
        .unwrap();
    assert_eq!(pool.state(), State::Initialized);
    assert_eq!(pool.init(), 3);
    assert_eq!(
        (pool.init(), pool.state(), pool.stats().idle()),
        (0, State::Active, 3)
    );
    let (buffer, line) = (pool.try_acquire(1).unwrap(), line!());
    let error = pool.close(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!((error.in_use, error.leaks.len()), (1, 1));
    assert_eq!(
        (
            error.leaks[0].location.line(),
            error.leaks[0].location.file()
        ),
        (line, file!())
    );
    assert!(error.leaks[0].age >= Duration::from_secs(1));
    assert_eq!(pool.state(), State::Closing);
    assert_eq!(pool.try_acquire(1).unwrap_err(), AcquireError::Closed);
    assert_eq!(pool.acquire(1).await.unwrap_err(), AcquireError::Closed);
    let closing = tokio::spawn({
        let pool = pool.clone();
        async move { pool.close(Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    drop(buffer);
    closing.await.unwrap().unwrap();
    assert_eq!(
        (pool.state(), pool.stats().allocated, pool.leaks().len()),
        (State::Terminated, 0, 0)
    );
}

#[test]
fn many_threads_share_a_pool_through_channels() {
    let pool = Pool::builder().limit(8 << 20).lanes(4).build().unwrap();
    let (send, receive) = std::sync::mpsc::sync_channel::<tower_pool::PooledBuf>(64);
    let consumer = std::thread::spawn(move || {
        let mut sum = 0u64;
        for buffer in receive {
            assert!(
                buffer.windows(2).all(|pair| pair[0] == pair[1]),
                "bytes of two owners"
            );
            sum += buffer.len() as u64;
        }
        sum
    });
    let producers: Vec<_> = (0..3u8)
        .map(|number| {
            let (pool, send) = (pool.clone(), send.clone());
            std::thread::spawn(move || {
                let mut sum = 0u64;
                for round in 0..2000usize {
                    let length = 1 + (round * 37) % (20 * KIB);
                    let Ok(mut buffer) = pool.try_acquire(length.min(4 * KIB)) else {
                        continue;
                    };
                    // Which of them the limit refuses depends on the other threads.
                    if buffer.extend_from_slice(&vec![number; length]).is_err() {
                        continue;
                    }
                    sum += length as u64;
                    if round % 3 == 0 {
                        send.send(buffer).unwrap()
                    } else {
                        sum -= length as u64
                    }
                }
                sum
            })
        })
        .collect();
    drop(send);
    let sent: u64 = producers
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(consumer.join().unwrap(), sent);
    let stats = pool.stats();
    assert_eq!(stats.in_use, 0);
    assert_eq!(stats.idle_bytes(), stats.allocated);
    assert!(stats.hits() > stats.misses(), "{stats:?}");
    assert_eq!(pool.trim_all(), stats.allocated);
    assert_eq!(pool.stats().allocated, 0);
}
