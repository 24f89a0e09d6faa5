//! Acquiring and releasing a buffer of 16 KiB, one byte of each page written, against other pools.
//!
//! `cargo bench -p tower-pool --bench acquire`
//!
//! Three workloads, the same for everyone: acquire and release on one thread; the same on two
//! threads sharing a pool; acquired on one thread and released on another, through a queue of 256.
//! Nanoseconds an operation: the median and the least of five interleaved rounds.

use std::{
    cell::RefCell,
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use bytes::BufMut;
use crossbeam_queue::ArrayQueue;

const SIZE: usize = 16 << 10;
const PAGE: usize = 4096;
const ROUNDS: usize = 5;
const OPERATIONS: u32 = 50_000;

fn fresh() -> Vec<u8> {
    vec![0; SIZE]
}

fn touch(bytes: &mut [u8]) {
    for page in bytes.chunks_mut(PAGE) {
        page[0] = 1;
    }
    black_box(bytes);
}

trait Peer: Sync {
    type Item<'a>: Send
    where
        Self: 'a;
    const NAME: &'static str;
    fn acquire(&self) -> Self::Item<'_>;
}

struct Ours(tower_pool::Pool);

impl Peer for Ours {
    type Item<'a> = tower_pool::PooledBuf;
    const NAME: &'static str = "tower-pool";
    fn acquire(&self) -> tower_pool::PooledBuf {
        let mut buffer = self.0.try_acquire(SIZE).expect("below the limit");
        let spare = buffer.chunk_mut();
        for page in (0..SIZE).step_by(PAGE) {
            spare.write_byte(page, 1);
        }
        black_box(spare.as_mut_ptr());
        buffer
    }
}

struct ThreadLocal;

thread_local! {
    static LOCAL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

struct LocalItem(Vec<u8>);

impl Drop for LocalItem {
    fn drop(&mut self) {
        LOCAL.with_borrow_mut(|idle| {
            if idle.len() < 512 {
                idle.push(std::mem::take(&mut self.0));
            }
        });
    }
}

impl Peer for ThreadLocal {
    type Item<'a> = LocalItem;
    const NAME: &'static str = "thread_local Vec";
    fn acquire(&self) -> LocalItem {
        let mut item = LOCAL.with_borrow_mut(Vec::pop).unwrap_or_else(fresh);
        touch(&mut item);
        LocalItem(item)
    }
}

struct Malloc;

impl Peer for Malloc {
    type Item<'a> = Vec<u8>;
    const NAME: &'static str = "Vec::with_capacity";
    fn acquire(&self) -> Vec<u8> {
        let mut item = Vec::with_capacity(SIZE);
        let spare = item.chunk_mut();
        for page in (0..SIZE).step_by(PAGE) {
            spare.write_byte(page, 1);
        }
        black_box(spare.as_mut_ptr());
        item
    }
}

struct Queue(ArrayQueue<Vec<u8>>);

struct QueueItem<'a>(&'a Queue, Vec<u8>);

impl Drop for QueueItem<'_> {
    fn drop(&mut self) {
        let _ = self.0.0.push(std::mem::take(&mut self.1));
    }
}

impl Peer for Queue {
    type Item<'a> = QueueItem<'a>;
    const NAME: &'static str = "crossbeam ArrayQueue";
    fn acquire(&self) -> QueueItem<'_> {
        let mut item = self.0.pop().unwrap_or_else(fresh);
        touch(&mut item);
        QueueItem(self, item)
    }
}

struct Alloc;

impl opool::PoolAllocator<Vec<u8>> for Alloc {
    fn allocate(&self) -> Vec<u8> {
        fresh()
    }
}

struct Opool(opool::Pool<Alloc, Vec<u8>>);

impl Peer for Opool {
    type Item<'a> = opool::RefGuard<'a, Alloc, Vec<u8>>;
    const NAME: &'static str = "opool";
    fn acquire(&self) -> Self::Item<'_> {
        let mut item = self.0.get();
        touch(&mut item);
        item
    }
}

struct Lockfree(lockfree_object_pool::LinearObjectPool<Vec<u8>>);

impl Peer for Lockfree {
    type Item<'a> = lockfree_object_pool::LinearReusable<'a, Vec<u8>>;
    const NAME: &'static str = "lockfree-object-pool";
    fn acquire(&self) -> Self::Item<'_> {
        let mut item = self.0.pull();
        touch(&mut item);
        item
    }
}

struct ObjectPool(object_pool::Pool<Vec<u8>>);

impl Peer for ObjectPool {
    type Item<'a> = object_pool::Reusable<'a, Vec<u8>>;
    const NAME: &'static str = "object-pool";
    fn acquire(&self) -> Self::Item<'_> {
        let mut item = self.0.pull(fresh);
        touch(&mut item);
        item
    }
}

struct Slab(sharded_slab::Pool<Vec<u8>>);

struct SlabItem<'a>(&'a Slab, usize);

impl Drop for SlabItem<'_> {
    fn drop(&mut self) {
        self.0.0.clear(self.1);
    }
}

impl Peer for Slab {
    type Item<'a> = SlabItem<'a>;
    const NAME: &'static str = "sharded-slab";
    fn acquire(&self) -> SlabItem<'_> {
        let key = self.0.create_with(|item| {
            // Cleared, the vector keeps its memory.
            item.resize(SIZE.min(item.capacity()).max(1), 0);
            if item.len() < SIZE {
                *item = fresh();
            }
            touch(item);
            item.clear();
        });
        SlabItem(self, key.expect("below the slab's capacity"))
    }
}

/// Nanoseconds an operation of each workload.
fn run<P: Peer>(peer: &P) -> [f64; 3] {
    let one = || {
        let start = Instant::now();
        for _ in 0..OPERATIONS {
            drop(black_box(peer.acquire()));
        }
        start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS)
    };
    one();
    let same = one();

    let barrier = Barrier::new(2);
    let both = thread::scope(|scope| {
        let work = || {
            barrier.wait();
            one()
        };
        let other = scope.spawn(work);
        let here = work();
        here.max(other.join().expect("no panic"))
    });

    let queue = ArrayQueue::new(256);
    let done = AtomicBool::new(false);
    let cross = thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                match queue.pop() {
                    Some(item) => drop::<P::Item<'_>>(item),
                    None if done.load(Ordering::Acquire) && queue.is_empty() => return,
                    None => thread::yield_now(),
                }
            }
        });
        let start = Instant::now();
        for _ in 0..OPERATIONS {
            let mut item = peer.acquire();
            while let Err(full) = queue.push(item) {
                item = full;
                thread::yield_now();
            }
        }
        let time = start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS);
        done.store(true, Ordering::Release);
        time
    });
    [same, both, cross]
}

fn main() {
    let pool = tower_pool::Pool::builder()
        .limit(1 << 30)
        .build()
        .expect("valid");
    let (ours, local, malloc) = (Ours(pool), ThreadLocal, Malloc);
    let queue = Queue(ArrayQueue::new(512));
    let opool = Opool(opool::Pool::new(512, Alloc));
    let lockfree = Lockfree(lockfree_object_pool::LinearObjectPool::new(fresh, |_| ()));
    let object = ObjectPool(object_pool::Pool::new(512, fresh));
    let slab = Slab(sharded_slab::Pool::new());
    let mut results: Vec<(&str, Vec<[f64; 3]>)> = Vec::new();
    for _ in 0..ROUNDS {
        let round = [
            (Ours::NAME, run(&ours)),
            (ThreadLocal::NAME, run(&local)),
            (Malloc::NAME, run(&malloc)),
            (Queue::NAME, run(&queue)),
            (Opool::NAME, run(&opool)),
            (Lockfree::NAME, run(&lockfree)),
            (ObjectPool::NAME, run(&object)),
            (Slab::NAME, run(&slab)),
        ];
        for (name, times) in round {
            match results.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => all.push(times),
                None => results.push((name, vec![times])),
            }
        }
    }
    println!(
        "{:22} {:>16} {:>16} {:>16}",
        "ns: median (least)", "one thread", "two threads", "across threads"
    );
    for (name, times) in results {
        print!("{name:22}");
        for workload in 0..3 {
            let mut column: Vec<f64> = times.iter().map(|times| times[workload]).collect();
            column.sort_by(f64::total_cmp);
            print!(" {:9.1} ({:.1})", column[column.len() / 2], column[0]);
        }
        println!();
    }
}
