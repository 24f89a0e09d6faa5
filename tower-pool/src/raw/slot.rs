//! What one thread keeps at hand: a lock that belongs to a thread until it is taken away.
//!
//! The owner enters by plain stores and loads, without an atomic read-modify-write; anybody else must
//! bar the slot first, which costs a [`heavy`](barrier::heavy) barrier. It is Dekker's algorithm with the
//! two sides' costs made unequal:
//!
//! ```text
//! owner                              another
//! busy = true                        barred = true
//! light barrier                      heavy barrier
//! if barred { leave, go elsewhere }  wait until !busy
//! use the value                      use the value
//! busy = false (release)             barred = false (release)
//! ```
//!
//! By the barriers the owner sees `barred`, or the other sees `busy`, so the two are never inside at
//! once. The owner never waits. The other waits for the few instructions between two stores.
//!
//! Invariants:
//! - `busy` is written by the owner thread alone, which is the one that [`local`](super::local) keeps the
//!   slot for; [`Slot::pop`], [`Slot::push`] and [`Slot::enter`] are called there alone.
//! - `barred` is written by the holder of the depot's register of slots alone, one at a time.
//! - The value is reached by the owner while `busy` is set and it has seen `barred` unset since, by the
//!   register's holder while it has found `busy` unset after barring, or when the owner is `gone`.

use super::barrier;
use crate::sync::{AtomicBool, AtomicU32, Ordering, UnsafeCell, spin_loop, yield_now};

#[repr(align(128))]
pub(crate) struct Slot<T> {
    busy: AtomicBool,
    barred: AtomicBool,
    gone: AtomicBool,
    /// How often the owner was refused since it was last let in; written by the owner alone.
    refused: AtomicU32,
    shelves: UnsafeCell<Box<[Hand<T>]>>,
}

/// The items of one class at hand.
pub(crate) struct Hand<T> {
    /// Never grows: its capacity is what may be kept.
    pub(crate) items: Vec<T>,
    /// Items handed out from here since they were last reckoned up.
    pub(crate) taken: usize,
    /// Items that came home to here since.
    pub(crate) given: usize,
    /// `taken` when the hand was last emptied, and `given` when it was last filled.
    seen: (usize, usize),
}

impl<T> Hand<T> {
    fn new(capacity: usize) -> Self {
        Self {
            items: Vec::with_capacity(capacity),
            taken: 0,
            given: 0,
            seen: (0, 0),
        }
    }

    /// Whether nothing came home since this was last asked. A guess, as the counts begin anew when they are reckoned up.
    pub(crate) fn only_taken(&mut self) -> bool {
        std::mem::replace(&mut self.seen.1, self.given) == self.given
    }

    /// Whether nothing was handed out since this was last asked. A guess, as above.
    pub(crate) fn only_given(&mut self) -> bool {
        std::mem::replace(&mut self.seen.0, self.taken) == self.taken
    }
}

// SAFETY: the shelves are reached by one thread at a time (invariants), so sharing a slot moves access
// to `T`s between threads, which `T: Send` allows.
unsafe impl<T: Send> Sync for Slot<T> {}
// SAFETY: a slot owns its items; moving it moves them.
unsafe impl<T: Send> Send for Slot<T> {}

impl<T> Slot<T> {
    /// A slot that keeps up to `capacities` items of each class.
    pub(crate) fn new(capacities: &[usize]) -> Self {
        let hand = |&capacity| Hand::new(capacity);
        Self {
            busy: AtomicBool::new(false),
            barred: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            refused: AtomicU32::new(0),
            shelves: UnsafeCell::new(capacities.iter().map(hand).collect()),
        }
    }

    /// Takes an item of `class` and counts it as handed out.
    ///
    /// # Safety
    /// The caller is the slot's owner and not inside.
    #[inline]
    pub(super) unsafe fn pop(&self, class: usize) -> Option<T> {
        // SAFETY: passed on. Nothing below runs foreign code, so the slot is not entered twice.
        let mut inside = unsafe { self.begin() }?;
        let hand = inside.shelves().get_mut(class)?;
        let item = hand.items.pop()?;
        hand.taken += 1;
        Some(item)
    }

    /// Keeps an item that comes home, or gives it back when there is no room.
    ///
    /// # Safety
    /// The caller is the slot's owner and not inside.
    #[inline]
    pub(super) unsafe fn push(&self, class: usize, item: T) -> Result<(), T> {
        // SAFETY: passed on. Nothing below runs foreign code, so the slot is not entered twice.
        let Some(mut inside) = (unsafe { self.begin() }) else {
            return Err(item);
        };
        match inside.shelves().get_mut(class) {
            Some(hand) if hand.items.len() < hand.items.capacity() => {
                hand.items.push(item);
                hand.given += 1;
                Ok(())
            }
            _ => Err(item),
        }
    }

    /// Runs `work` on the shelves unless the slot is barred, or entered already.
    ///
    /// # Safety
    /// The caller is the slot's owner.
    pub(super) unsafe fn enter<R>(&self, work: impl FnOnce(&mut [Hand<T>]) -> R) -> Option<R> {
        // The owner alone writes it, so this is exact. `work` that came here again would be refused.
        if self.busy.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the caller is the owner and, as checked, not inside.
        let mut inside = unsafe { self.begin() }?;
        Some(work(inside.shelves()))
    }

    /// How often in a row this was asked while the slot was barred. By the owner alone.
    pub(super) fn refused(&self) -> u32 {
        let before = self.refused.load(Ordering::Relaxed);
        let refused = if self.is_barred() {
            before.saturating_add(1)
        } else {
            0
        };
        if refused != before {
            self.refused.store(refused, Ordering::Relaxed);
        }
        refused
    }

    /// # Safety
    /// The caller is the slot's owner and not inside.
    #[inline(always)]
    unsafe fn begin(&self) -> Option<Inside<'_, T>> {
        self.busy.store(true, Ordering::Relaxed);
        let inside = Inside(self);
        barrier::light();
        // Acquire: what the one who barred did with the shelves happens before what follows.
        if self.barred.load(Ordering::Acquire) {
            return None;
        }
        Some(inside)
    }

    fn is_barred(&self) -> bool {
        self.barred.load(Ordering::Relaxed)
    }

    /// Keeps the owner out, after a heavy barrier. For the register's holder.
    fn bar(&self) {
        self.barred.store(true, Ordering::Relaxed);
    }

    /// Lets the owner in again. For the register's holder.
    fn unbar(&self) {
        self.barred.store(false, Ordering::Release);
    }

    /// Whether the owner's thread has ended.
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The owner will not come again. By the owner alone.
    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Runs `work` on the shelves of a barred slot.
    ///
    /// # Safety
    /// The caller holds the register of slots, and either called [`barrier::heavy`] after
    /// [`Self::bar`] or found the slot barred by an earlier holder who did; it has not been unbarred since.
    unsafe fn with_owner_out<R>(&self, work: impl FnOnce(&mut [Hand<T>]) -> R) -> R {
        let mut spins = 0u32;
        // Acquire: what the owner did inside happens before what follows.
        while self.busy.load(Ordering::Acquire) {
            spins += 1;
            if cfg!(pool_loom) || spins.is_multiple_of(64) {
                yield_now();
            } else {
                spin_loop();
            }
        }
        // SAFETY: the owner is out and kept out (by the caller's promise), and the register's lock keeps
        // all others out.
        self.shelves
            .get_mut()
            .with(|shelves| work(unsafe { &mut *shelves }))
    }
}

/// The owner is inside.
struct Inside<'a, T>(&'a Slot<T>);

impl<T> Inside<'_, T> {
    #[inline(always)]
    fn shelves(&mut self) -> &mut [Hand<T>] {
        // SAFETY: `begin` made this value, and found the slot not barred; the owner has no second one,
        // and the reference borrows it mutably.
        self.0
            .shelves
            .get_mut()
            .with(|shelves| unsafe { &mut **shelves })
    }
}

impl<T> Drop for Inside<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// Every slot of a depot, in the order of registration, behind the register's lock.
pub(crate) struct Register<T>(Vec<std::sync::Arc<Slot<T>>>);

impl<T> Register<T> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, slot: std::sync::Arc<Slot<T>>) {
        self.0.push(slot);
    }

    /// Lets all owners in.
    pub(crate) fn reopen(&mut self) {
        self.0.iter().for_each(|slot| slot.unbar());
    }

    /// Keeps all owners out and shows every slot's shelves to `look`, with the slot's number; then lets
    /// them in again if `reopen` says so, and forgets the slots whose owners are gone.
    pub(crate) fn inspect(
        &mut self,
        mut look: impl FnMut(usize, &mut [Hand<T>]),
        reopen: impl FnOnce() -> bool,
    ) {
        // Barred slots were barred by an earlier holder of the register, through this very function.
        if self.0.iter().any(|slot| !slot.is_barred()) {
            self.0.iter().for_each(|slot| slot.bar());
            barrier::heavy();
        }
        for (number, slot) in self.0.iter().enumerate() {
            // SAFETY: `&mut self` is the register's lock; all slots are barred, each with a heavy barrier
            // since: the one above, or that of the call which barred it.
            unsafe { slot.with_owner_out(|shelves| look(number, shelves)) };
        }
        // Seen before looking or after, a slot that is gone is empty now, and stays so.
        self.0.retain(|slot| !slot.is_gone());
        if reopen() {
            self.reopen();
        }
    }
}
