//! 400 uploads of 1 MiB at once into a budget of 64 MiB: what the process allocates at most, and what is left of it
//! after ten minutes of quiet by a paused clock. Alone in its process, since it counts the process's heap.
#![cfg(not(pool_loom))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower_pool::{BodyError, BodyPool, Maintenance, Pool, PressureGauge};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;
const BUDGET: usize = 64 * MIB;

/// A body that makes each frame when it is asked for, and lets other tasks run in between.
struct Upload {
    rest: usize,
    frame: usize,
    announces: bool,
    paused: bool,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest == 0 {
            return Poll::Ready(None);
        }
        let length = self.frame.min(self.rest);
        self.rest -= length;
        Poll::Ready(Some(Ok(Frame::data(vec![b'x'; length].into()))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.announces {
            SizeHint::with_exact(self.rest as u64)
        } else {
            SizeHint::default()
        }
    }
}

/// Returns how many were answered and how many refused.
async fn uploads(bodies: &BodyPool, frame: usize, announces: bool) -> (usize, usize) {
    let tasks: Vec<_> = (0..400)
        .map(|_| {
            let body = bodies.collect(Upload {
                rest: MIB,
                frame,
                announces,
                paused: false,
            });
            tokio::spawn(async move {
                let body = body.await?;
                // A handler that takes its time, with the body in hand.
                tokio::time::sleep(Duration::from_millis(5)).await;
                assert_eq!(body.len(), MIB);
                Ok::<(), BodyError>(())
            })
        })
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => answered += 1,
            Err(error) => {
                assert_eq!(error.status(), 503, "{error:?}");
                refused += 1;
            }
        }
    }
    (answered, refused)
}

#[tokio::test(start_paused = true)]
async fn four_hundred_uploads_stay_near_the_budget_and_the_memory_is_given_back() {
    // Frames as a connection under `BoundedReads` brings them: a body that waits pins one of them, whatever its size.
    // Those that grow as they come wait for each other, all at once: some are refused then.
    for (case, frame, announces, least) in [
        ("small frames", 4 << 10, false, 100),
        ("small frames, announced", 4 << 10, true, 100),
        ("large frames", 16 << 10, false, 100),
        ("large frames, announced", 16 << 10, true, 400),
    ] {
        let idle = LIVE.load(Ordering::Relaxed);
        PEAK.store(idle, Ordering::Relaxed);
        let pool = Pool::builder().limit(BUDGET).build().unwrap();
        let maintenance = Maintenance::new(pool.clone()).gauge(PressureGauge::off());
        let running = tokio::spawn(maintenance.run());
        let bodies = BodyPool::new(pool.clone()).budget_wait(Duration::from_secs(60));
        let (answered, refused) = uploads(&bodies, frame, announces).await;
        assert_eq!(answered + refused, 400, "case {case}");
        assert!(
            answered >= least,
            "case {case}: only {answered} were answered"
        );
        let peak = PEAK.load(Ordering::Relaxed) - idle;
        println!("{case}: {answered} answered, {} MiB at most", peak / MIB);
        assert!(
            peak <= BUDGET + BUDGET / 4,
            "case {case}: {} MiB over idle",
            peak / MIB
        );
        tokio::time::sleep(Duration::from_secs(600)).await;
        let left = LIVE.load(Ordering::Relaxed).saturating_sub(idle);
        assert!(left <= peak / 10, "case {case}: {left} bytes are left");
        pool.close(Duration::ZERO).await.unwrap();
        running.await.unwrap();
    }
}
