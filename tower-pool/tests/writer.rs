//! Response bodies written into pooled memory: contiguous up to the largest class, a chain beyond it.
#![cfg(not(pool_loom))]

use std::{
    future::Future,
    io::{self, Write},
    task::{Context, Waker},
};

use http_body::Body;
use http_body_util::BodyExt;
use tower_pool::{AcquireError, LeakTracking, Pool, PooledWriter};

const KIB: usize = 1 << 10;

fn small(limit: usize) -> Pool {
    Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .limit(limit)
        .leak_tracking(LeakTracking::On)
        .build()
        .unwrap()
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

#[test]
fn up_to_the_largest_class_the_bytes_are_in_one_block() {
    let pool = small(1 << 20);
    for length in [0, 1, 4 * KIB, 4 * KIB + 1, 16 * KIB] {
        let mut writer = PooledWriter::new(&pool, 0).unwrap();
        let text = text(length);
        for part in text.chunks(1000) {
            writer.write_all(part).unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(writer.written(), length as u64);
        assert_eq!(writer.into_bytes().unwrap(), text, "{length} bytes");
    }
    assert_eq!(pool.stats().in_use, 0);
}

#[tokio::test]
async fn beyond_it_blocks_form_a_chain_and_go_home_one_by_one() {
    let pool = small(1 << 20);
    let text = text(50 * KIB + 7);
    for part in [1, 999, 16 * KIB, 40 * KIB, usize::MAX] {
        let mut writer = PooledWriter::new(&pool, usize::MAX).unwrap();
        for part in text.chunks(part) {
            assert_eq!(writer.write(part).unwrap(), part.len());
        }
        let mut body = writer.into_bytes().unwrap_err().into_body();
        assert_eq!(body.size_hint().exact(), Some(text.len() as u64));
        let mut read = Vec::new();
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            frames.push(data.len());
            read.extend_from_slice(&data);
            let left = text.len() - read.len();
            assert_eq!(body.size_hint().exact(), Some(left as u64));
            assert_eq!(body.is_end_stream(), left == 0);
            drop(data);
            assert_eq!(pool.stats().in_use, 4 - frames.len(), "parts of {part}");
        }
        assert_eq!(frames, [16 * KIB, 16 * KIB, 16 * KIB, 2 * KIB + 7]);
        assert!(read == text, "parts of {part}");
    }
}

#[test]
fn at_the_limit_writing_fails_with_the_pools_error_and_leaves_nothing() {
    let pool = small(40 * KIB);
    let mut writer = PooledWriter::new(&pool, 0).unwrap();
    let error = writer.write_all(&text(100 * KIB)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    let inside = error.get_ref().unwrap().downcast_ref::<AcquireError>();
    assert_eq!(inside, Some(&AcquireError::Exhausted));
    drop(writer);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_response_goes_ahead_of_those_who_wait() {
    let pool = small(20 * KIB);
    let held = pool.try_acquire(16 * KIB).unwrap();
    let mut waiting = Box::pin(pool.acquire(16 * KIB));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    assert_eq!(pool.try_acquire(1).unwrap_err(), AcquireError::Exhausted);
    let (writer, line) = (PooledWriter::new(&pool, 1).unwrap(), line!());
    assert_eq!(
        PooledWriter::new(&pool, 1).unwrap_err(),
        AcquireError::Exhausted,
        "there is a limit to it"
    );
    assert_eq!(pool.leaks()[1].location.line(), line);
    drop(writer);
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    drop(held);
    assert!(waiting.as_mut().poll(&mut cx).is_ready());
    drop(waiting);
    assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0));
}
