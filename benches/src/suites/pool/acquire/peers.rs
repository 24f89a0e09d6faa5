//! The pools, each behind one small trait.

use std::cell::RefCell;

use bytes::BufMut;
use crossbeam_queue::ArrayQueue;

use super::{LOCAL, OURS, SIZE, Workload};

fn fresh() -> Vec<u8> {
    vec![0; SIZE]
}

/// A pool that gives a buffer, which goes back when it is dropped.
pub(super) trait Peer: Sync {
    type Item<'a>: Send
    where
        Self: 'a;
    fn acquire(&self) -> Self::Item<'_>;
}

/// The crate that is measured.
pub(super) struct Ours(pub(super) tower_pool::Pool);

impl Peer for Ours {
    type Item<'a> = tower_pool::PooledBuf;
    #[inline(always)]
    fn acquire(&self) -> tower_pool::PooledBuf {
        let mut buffer = self.0.try_acquire(SIZE).expect("below the limit");
        buffer.chunk_mut().write_byte(0, 1);
        buffer
    }
}

struct ThreadLocal;

thread_local! {
    static IDLE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

struct LocalItem(Vec<u8>);

impl Drop for LocalItem {
    fn drop(&mut self) {
        IDLE.with_borrow_mut(|idle| {
            if idle.len() < 512 {
                idle.push(std::mem::take(&mut self.0));
            }
        });
    }
}

impl Peer for ThreadLocal {
    type Item<'a> = LocalItem;
    #[inline(always)]
    fn acquire(&self) -> LocalItem {
        let mut item = IDLE.with_borrow_mut(Vec::pop).unwrap_or_else(fresh);
        item[0] = 1;
        LocalItem(item)
    }
}

struct Malloc;

impl Peer for Malloc {
    type Item<'a> = Vec<u8>;
    #[inline(always)]
    fn acquire(&self) -> Vec<u8> {
        let mut item = Vec::with_capacity(SIZE);
        item.chunk_mut().write_byte(0, 1);
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
    #[inline(always)]
    fn acquire(&self) -> QueueItem<'_> {
        let mut item = self.0.pop().unwrap_or_else(fresh);
        item[0] = 1;
        QueueItem(self, item)
    }
}

struct Maker;

impl opool::PoolAllocator<Vec<u8>> for Maker {
    fn allocate(&self) -> Vec<u8> {
        fresh()
    }
}

struct Opool(opool::Pool<Maker, Vec<u8>>);

impl Peer for Opool {
    type Item<'a> = opool::RefGuard<'a, Maker, Vec<u8>>;
    #[inline(always)]
    fn acquire(&self) -> Self::Item<'_> {
        let mut item = self.0.get();
        item[0] = 1;
        item
    }
}

struct Lockfree(lockfree_object_pool::LinearObjectPool<Vec<u8>>);

impl Peer for Lockfree {
    type Item<'a> = lockfree_object_pool::LinearReusable<'a, Vec<u8>>;
    #[inline(always)]
    fn acquire(&self) -> Self::Item<'_> {
        let mut item = self.0.pull();
        item[0] = 1;
        item
    }
}

struct ObjectPool(object_pool::Pool<Vec<u8>>);

impl Peer for ObjectPool {
    type Item<'a> = object_pool::Reusable<'a, Vec<u8>>;
    #[inline(always)]
    fn acquire(&self) -> Self::Item<'_> {
        let mut item = self.0.pull(fresh);
        item[0] = 1;
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
    #[inline(always)]
    fn acquire(&self) -> SlabItem<'_> {
        let key = self.0.create_with(|item| {
            // Cleared, a vector keeps its memory.
            if item.capacity() < SIZE {
                *item = Vec::with_capacity(SIZE);
            }
            item.push(1);
        });
        SlabItem(self, key.expect("below the slab's capacity"))
    }
}

/// A peer by its name.
pub(super) fn build(name: &str) -> Option<Box<dyn Workload>> {
    Some(match name {
        OURS => {
            let pool = tower_pool::Pool::builder().limit(1 << 30).build().ok()?;
            Box::new(Ours(pool))
        }
        LOCAL => Box::new(ThreadLocal),
        "Vec::with_capacity" => Box::new(Malloc),
        "ArrayQueue" => Box::new(Queue(ArrayQueue::new(512))),
        "opool" => Box::new(Opool(opool::Pool::new(512, Maker))),
        "lockfree-object-pool" => Box::new(Lockfree(lockfree_object_pool::LinearObjectPool::new(
            fresh,
            |_| (),
        ))),
        "object-pool" => Box::new(ObjectPool(object_pool::Pool::new(512, fresh))),
        "sharded-slab" => Box::new(Slab(sharded_slab::Pool::new())),
        _ => return None,
    })
}
