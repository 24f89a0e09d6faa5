//! Each thread's slots, found without a lock.
//!
//! A pool is known by a number that no other ever has, so a slot found under a pool's number is that
//! pool's, with its type of item. The table in front is searched by the number's low bits; behind it is
//! the list that keeps the slots alive until the thread ends.
//!
//! Invariant: a pointer in the table is that of a slot which the list of the same thread holds. The list
//! gives up slots in [`adopt`], whose caller holds no reference into a slot, and when the thread ends,
//! after the table was cleared; then there is no list any more, and nothing enters the table again.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use super::slot::{Hand, Slot};

/// Pools that a thread finds at once; a power of two. With more in use at a time the list is searched.
const PLACES: usize = 8;

/// A pool's number, which no other pool ever has. It cannot be copied, so it stays with its pool.
pub(crate) struct Id(usize);

impl Id {
    pub(crate) fn fresh() -> Self {
        // 0 is nobody's.
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
        Self(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

struct Table([Cell<(usize, *const ())>; PLACES]);

/// The thread's own list.
struct Held(RefCell<Vec<(usize, Arc<dyn Leave>)>>);

const NOBODY: (usize, *const ()) = (0, std::ptr::null());

/// A slot of any type.
trait Leave {
    fn leave(&self);
}

impl<T> Leave for Slot<T> {
    fn leave(&self) {
        Slot::leave(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What is dropped after this goes the slow way: nothing is found, and `adopt` has no list.
        let _ = TABLE.try_with(|table| table.0.iter().for_each(|place| place.set(NOBODY)));
        for (_, slot) in self.0.get_mut().drain(..) {
            slot.leave();
        }
    }
}

#[cfg(not(pool_loom))]
thread_local! {
    // Without a destructor: it stays usable to the very end of the thread.
    static TABLE: Table = const { Table([const { Cell::new(NOBODY) }; PLACES]) };
    static HELD: Held = const { Held(RefCell::new(Vec::new())) };
}

#[cfg(pool_loom)]
loom::thread_local! {
    static TABLE: Table = Table(std::array::from_fn(|_| Cell::new(NOBODY)));
    static HELD: Held = Held(RefCell::new(Vec::new()));
}

/// The calling thread's slot for the pool `id`, whose items are `T`s.
#[inline(always)]
fn find<T>(id: &Id) -> Option<*const Slot<T>> {
    let found = TABLE.try_with(|table| {
        let (found, slot) = table.0[id.0 % PLACES].get();
        (found == id.0).then_some(slot.cast())
    });
    found.ok().flatten()
}

/// Takes an item of `class` out of the calling thread's slot for the pool `id`.
///
/// # Safety
/// The items of pool `id` are `T`s.
#[inline(always)]
pub(super) unsafe fn pop<T>(id: &Id, class: usize) -> Option<T> {
    let slot = find::<T>(id)?;
    // SAFETY: the slot is alive (the invariant above), of this type (the caller's promise), this thread's
    // own; `pop` runs nothing that could have entered it before.
    unsafe { (*slot).pop(class) }
}

/// Puts an item of `class` into the calling thread's slot for the pool `id`, or gives it back.
///
/// # Safety
/// The items of pool `id` are `T`s.
#[inline(always)]
pub(super) unsafe fn push<T>(id: &Id, class: usize, item: T) -> Result<(), T> {
    match find::<T>(id) {
        // SAFETY: as in `pop`.
        Some(slot) => unsafe { (*slot).push(class, item) },
        None => Err(item),
    }
}

/// Runs `work` on the shelves of the calling thread's slot for the pool `id`, unless it has none, or it
/// is barred.
///
/// # Safety
/// The items of pool `id` are `T`s. `work` does not call [`adopt`].
pub(super) unsafe fn visit<T, R>(id: &Id, work: impl FnOnce(&mut [Hand<T>]) -> R) -> Option<R> {
    let slot = find::<T>(id)?;
    // SAFETY: as in `pop`; a second entry is refused by `enter` itself, and `work` does not change the
    // list.
    unsafe { (*slot).enter(work) }
}

/// How often in a row the calling thread found its slot for the pool `id` barred, by this account; `None`
/// without a slot.
///
/// # Safety
/// The items of pool `id` are `T`s.
pub(super) unsafe fn refused<T>(id: &Id) -> Option<u32> {
    let slot = find::<T>(id).or_else(|| find_in_list(id))?;
    // SAFETY: as in `pop`.
    Some(unsafe { (*slot).refused() })
}

/// Looks through the list, and puts what it finds into the table.
#[cold]
fn find_in_list<T>(id: &Id) -> Option<*const Slot<T>> {
    let slot = HELD.try_with(|held| {
        let held = held.0.borrow();
        let (_, slot) = held.iter().find(|(other, _)| *other == id.0)?;
        Some(Arc::as_ptr(slot).cast::<()>())
    });
    let slot = slot.ok().flatten()?;
    let _ = TABLE.try_with(|table| table.0[id.0 % PLACES].set((id.0, slot)));
    Some(slot.cast())
}

/// Makes `slot` the calling thread's for the pool `id`, and says whether that was possible: a thread
/// that is ending keeps none.
///
/// # Safety
/// The items of pool `id` are `T`s.
pub(super) unsafe fn adopt<T: Send + 'static>(id: &Id, slot: &Arc<Slot<T>>) -> bool {
    let adopted = HELD.try_with(|held| {
        let mut held = held.0.borrow_mut();
        // Slots of pools that are no more; the table may still point to them.
        held.retain(|(_, slot)| Arc::strong_count(slot) > 1);
        let _ = TABLE.try_with(|table| {
            for place in &table.0 {
                if held.iter().all(|(other, _)| *other != place.get().0) {
                    place.set(NOBODY);
                }
            }
            table.0[id.0 % PLACES].set((id.0, Arc::as_ptr(slot).cast()));
        });
        held.push((id.0, slot.clone()));
    });
    adopted.is_ok()
}
