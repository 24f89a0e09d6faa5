//! Models of the table and of the news about bytes, run through their interleavings by loom:
//! `RUSTFLAGS="--cfg zerocopy_loom" cargo test -p tower-zerocopy-fs --lib --release model`.

use std::{future::poll_fn, sync::Arc, task::Poll};

use loom::{future::block_on, sync::Mutex, thread};

use super::{
    delivery::Delivery,
    slots::{Content, Slots},
};

const ADDRESS: usize = 4096;
const LEN: usize = 100;
const SHORT: usize = 50;

/// Every interleaving with at most three preemptions.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// Shared bytes: the last one to drop them takes the slot out and frees the memory.
struct Shared(loom::sync::Arc<Owner>);

struct Owner {
    slots: loom::sync::Arc<Slots<u32>>,
    /// What an allocator would hand out next; `None` while the address is in use.
    free: loom::sync::Arc<Mutex<Option<usize>>>,
}

impl Owner {
    fn new(
        slots: &loom::sync::Arc<Slots<u32>>,
        free: &loom::sync::Arc<Mutex<Option<usize>>>,
        content: Content,
        value: u32,
    ) -> Option<Shared> {
        let address = free.lock().unwrap().take()?;
        slots.insert(address, LEN, content, Arc::new(value));
        Some(Shared(loom::sync::Arc::new(Self {
            slots: slots.clone(),
            free: free.clone(),
        })))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.slots.remove(ADDRESS);
        *self.free.lock().unwrap() = Some(ADDRESS);
    }
}

impl Shared {
    fn find(&self, len: usize) -> Option<u32> {
        self.0.slots.find(ADDRESS + 1, len, SHORT).map(|v| *v)
    }
}

/// The adapter looks up a slice while the body drops its own, and the memory is used again by whoever comes first.
#[test]
fn a_slice_finds_its_own_region_however_often_the_address_is_used() {
    model(|| {
        let slots = loom::sync::Arc::new(Slots::new());
        let free = loom::sync::Arc::new(Mutex::new(Some(ADDRESS)));
        let first = Owner::new(&slots, &free, Content::There, 1).unwrap();
        let clone = Shared(first.0.clone());
        let adapter = thread::spawn({
            let (slots, free) = (slots.clone(), free.clone());
            move || {
                assert_eq!(clone.find(60), Some(1));
                drop(clone);
                if let Some(next) = Owner::new(&slots, &free, Content::There, 2) {
                    assert_eq!(next.find(60), Some(2));
                }
            }
        });
        drop(first);
        if let Some(next) = Owner::new(&slots, &free, Content::There, 3) {
            assert_eq!(next.find(60), Some(3));
        }
        adapter.join().unwrap();
        assert_eq!(*free.lock().unwrap(), Some(ADDRESS));
        assert!(slots.find(ADDRESS, LEN, SHORT).is_none(), "all are gone");
    });
}

/// Short slices are not looked up while there is no window; one of a window must be, in spite of others that end.
#[test]
fn the_rest_of_a_window_is_found_while_other_windows_come_and_go() {
    model(|| {
        let slots = loom::sync::Arc::new(Slots::new());
        let free = loom::sync::Arc::new(Mutex::new(Some(ADDRESS)));
        let window = Owner::new(&slots, &free, Content::Elsewhere, 1).unwrap();
        let other = thread::spawn({
            let slots = slots.clone();
            move || {
                slots.insert(2 * ADDRESS, LEN, Content::Elsewhere, Arc::new(2));
                slots.remove(2 * ADDRESS);
            }
        });
        let adapter = thread::spawn(move || assert_eq!(window.find(1), Some(1)));
        adapter.join().unwrap();
        other.join().unwrap();
        assert!(slots.find(ADDRESS, 1, SHORT).is_none());
    });
}

/// A body that waits for its bytes to be sent and dropped is woken whenever both have happened; loom finds it asleep if not.
#[test]
fn no_news_is_missed() {
    model(|| {
        let delivery = loom::sync::Arc::new(Delivery::default());
        let adapter = thread::spawn({
            let delivery = delivery.clone();
            move || {
                delivery.note_offered();
                delivery.note_sent(60, 100);
                delivery.note_sent(40, 100);
                delivery.note_dropped();
            }
        });
        block_on(poll_fn(|cx| {
            delivery.register(cx.waker());
            match delivery.dropped() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        // What was sent before the drop is known with it.
        assert!(delivery.offered() && delivery.sent() == 100);
        adapter.join().unwrap();
    });
}
