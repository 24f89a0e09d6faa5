//! Who keeps a depot alive, without a shared counter on the hot path.
//!
//! A depot is reached through [`Root`]s (the pool's handles, cloned rarely, counted in one place) and
//! [`Lease`]s (one for each thing that is out, made and dropped all the time). Counting leases in one
//! atomic would make every acquisition on every thread write the same cache line, so they are counted
//! where an acquisition writes anyway: in the thread's slot, or in a lane under its lock. A lease may be
//! counted in one place and discounted in another, and only the sum over all of them means something.
//! Reckoning up the slots moves their counts into lanes.
//!
//! The end of life:
//! 1. `refs` starts at [`BIAS`], which stands for "some root lives".
//! 2. The last root bars all slots for good and moves their counts into lanes. Then it locks lane after
//!    lane, marks it orphaned and adds its count to a sum. No lease is made any more (that takes a
//!    root), so the sum is the number of leases that had not been dropped in a lane before it was marked.
//! 3. It takes `BIAS - sum` off `refs`. A lease that meets an orphaned lane takes 1 off `refs`.
//! 4. Whoever brings `refs` to 0 frees the depot.
//!
//! Worked example with lanes A and B: a lease was counted in A (+1) and is dropped in B. If B was
//! marked before, it takes 1 off `refs`, and the sum says 1: BIAS - 1 - (BIAS - 1) = 0. If B was
//! marked after, B's count is -1 and the sum says 0: BIAS - BIAS = 0. Either way exactly one party
//! sees 0.
//!
//! [`Alive`] is a counted reference for the rare work that goes on after a lease was dropped.

use std::{fmt, ops::Deref, ptr::NonNull, sync::Arc};

use crate::{
    depot::{Depot, LaneState},
    raw::{
        local,
        slot::{Hand, Slot},
    },
    sync::{AtomicIsize, AtomicUsize, Ordering, thread_number},
};

/// Stands for the roots in `refs`: more than leases can ever be.
const BIAS: isize = isize::MAX / 2;

/// The counters a depot carries for this module.
pub(crate) struct Counts {
    roots: AtomicUsize,
    refs: AtomicIsize,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            roots: AtomicUsize::new(1),
            refs: AtomicIsize::new(BIAS),
        }
    }
}

/// Takes `count` off `refs` and frees the depot at 0.
///
/// # Safety
/// The caller owns `count` of `refs` and does not touch the depot afterwards.
unsafe fn leave<T, X>(depot: NonNull<Depot<T, X>>, count: isize) {
    // SAFETY: what the caller owns of `refs` keeps the depot alive up to this subtraction. A
    // reference to the one atomic is made, not to the depot, which may be gone when it returns.
    let refs = unsafe { &(*depot.as_ptr()).counts.refs };
    // AcqRel: what every other party did with the depot happens before the freeing below.
    if refs.fetch_sub(count, Ordering::AcqRel) == count {
        // SAFETY: `refs` is 0: no root, lease or `Alive` is left, and it was made by `Box::leak`.
        drop(unsafe { Box::from_raw(depot.as_ptr()) });
    }
}

impl<T: Send + 'static, X> Depot<T, X> {
    /// Runs `work` on what the calling thread has at hand.
    pub(crate) fn at_hand<R>(&self, work: impl FnOnce(&mut [Hand<T>]) -> R) -> Option<R> {
        // SAFETY: the id is this depot's, whose items are `T`s. `adopt` below is never called from within
        // `work`: this module's callers only move items.
        unsafe { local::visit(&self.id, work) }
    }

    /// How often in a row the calling thread was refused its slot; `None` when it has none.
    pub(crate) fn refused(&self) -> Option<u32> {
        // SAFETY: the id is this depot's, whose items are `T`s.
        unsafe { local::refused::<T>(&self.id) }
    }

    /// Gives the calling thread a slot; `None` when it is ending.
    pub(crate) fn adopt(&self, capacities: &[usize]) -> Option<Arc<Slot<T>>> {
        let slot = Arc::new(Slot::new(capacities));
        // SAFETY: the id is this depot's, whose items are `T`s.
        unsafe { local::adopt(&self.id, &slot) }.then_some(slot)
    }
}

/// A handle that keeps the depot open for business.
pub(crate) struct Root<T, X>(NonNull<Depot<T, X>>);

// SAFETY: a root gives shared access to the depot and may free it, together with the `T`s in it.
unsafe impl<T: Send, X: Send + Sync> Send for Root<T, X> {}
// SAFETY: as above; cloning through a shared root only adds roots.
unsafe impl<T: Send, X: Send + Sync> Sync for Root<T, X> {}

impl<T, X> Root<T, X> {
    pub(crate) fn new(depot: Depot<T, X>) -> Self {
        Self(NonNull::from(Box::leak(Box::new(depot))))
    }

    /// An item of `class` that the calling thread has at hand, with a lease on it.
    #[inline(always)]
    pub(crate) fn take_at_hand(&self, class: usize) -> Option<(Lease<T, X>, T)> {
        // SAFETY: the id is this depot's, whose items are `T`s.
        let item = unsafe { local::pop(&self.id, class) }?;
        // The slot counted the lease.
        Some((Lease(self.0), item))
    }

    /// Runs `take` on a free lane, and counts a lease there when it returns `Ok`.
    #[inline]
    pub(crate) fn checkout<R, E>(
        &self,
        take: impl FnOnce(usize, &mut LaneState<T>) -> Result<R, E>,
    ) -> Result<(Lease<T, X>, R), E> {
        let (index, mut lane) = self.lanes.any(thread_number());
        let taken = take(index, &mut lane)?;
        lane.leases += 1;
        Ok((Lease(self.0), taken))
    }
}

impl<T, X> Clone for Root<T, X> {
    fn clone(&self) -> Self {
        // Relaxed, as in `Arc`: the existing root keeps the count above 0.
        self.counts.roots.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T, X> Deref for Root<T, X> {
    type Target = Depot<T, X>;

    #[inline]
    fn deref(&self) -> &Depot<T, X> {
        // SAFETY: while a root lives, `refs` holds the bias and the depot is not freed.
        unsafe { self.0.as_ref() }
    }
}

impl<T, X> Drop for Root<T, X> {
    fn drop(&mut self) {
        if self.counts.roots.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let mut outstanding = 0;
        self.orphan();
        for lane in self.lanes.iter() {
            let mut lane = lane.lock();
            lane.orphaned = true;
            outstanding += lane.leases;
            let idle = lane.take_all();
            drop(lane);
            drop(idle);
        }
        // SAFETY: the last root owns the bias; `outstanding` of it passes to the leases that are
        // left, each of which meets an orphaned lane and takes its 1 off.
        unsafe { leave(self.0, BIAS - outstanding) };
    }
}

/// One thing that is out. Keeps the depot alive, though not open.
pub(crate) struct Lease<T, X>(NonNull<Depot<T, X>>);

// SAFETY: as for `Root`: dropping the last lease frees the depot and the `T`s in it.
unsafe impl<T: Send, X: Send + Sync> Send for Lease<T, X> {}
// SAFETY: a shared lease only gives `&Depot`.
unsafe impl<T: Send, X: Send + Sync> Sync for Lease<T, X> {}

impl<T, X> Lease<T, X> {
    /// The depot's address, for [`Self::from_raw`]. The lease goes on.
    #[inline(always)]
    pub(super) fn into_raw(self) -> NonNull<Depot<T, X>> {
        std::mem::ManuallyDrop::new(self).0
    }

    /// The lease again.
    ///
    /// # Safety
    /// `depot` came from [`Self::into_raw`], and is used so once.
    #[inline(always)]
    pub(super) unsafe fn from_raw(depot: NonNull<Depot<T, X>>) -> Self {
        Self(depot)
    }

    /// Ends the lease and keeps its item at the calling thread's hand, if there is room.
    #[inline(always)]
    pub(crate) fn give_to_hand(self, class: usize, item: T) -> Result<(), (Self, T)> {
        // SAFETY: the id is this depot's, whose items are `T`s. The lease keeps the depot alive until the
        // slot has counted its end; nothing touches the depot after that.
        match unsafe { local::push(&self.id, class, item) } {
            Ok(()) => {
                std::mem::forget(self);
                Ok(())
            }
            Err(item) => Err((self, item)),
        }
    }

    /// Runs `give` on a free lane and ends the lease there when it returns `Ok`; otherwise the lease
    /// comes back with the error. `give` must fail on an orphaned lane.
    #[inline]
    pub(crate) fn finish<E>(
        self,
        give: impl FnOnce(&Depot<T, X>, &mut LaneState<T>) -> Result<(), E>,
    ) -> Result<(), (Self, E)> {
        // SAFETY: as in `deref`. The lifetime is not tied to `self`, so that `self` can be given up
        // before the lane is unlocked; the reference is not used after that.
        let depot = unsafe { self.0.as_ref() };
        let (_, mut lane) = depot.lanes.any(thread_number());
        if let Err(error) = give(depot, &mut lane) {
            drop(lane);
            return Err((self, error));
        }
        debug_assert!(!lane.orphaned, "a lease ended in an orphaned lane");
        lane.leases -= 1;
        std::mem::forget(self);
        // The unlocking store is the last access: after it the depot may be gone. It goes through
        // the guard's reference to the lock, which is all `UnsafeCell`.
        drop(lane);
        Ok(())
    }

    /// A counted reference that outlives the lease.
    pub(crate) fn alive(&self) -> Alive<T, X> {
        // Relaxed, as in `Arc`: the lease keeps the depot alive meanwhile.
        self.counts.refs.fetch_add(1, Ordering::Relaxed);
        Alive(self.0)
    }
}

impl<T, X> Deref for Lease<T, X> {
    type Target = Depot<T, X>;

    #[inline]
    fn deref(&self) -> &Depot<T, X> {
        // SAFETY: a lease is either counted in the lanes, so that the last root finds it, or has its
        // share of `refs`; the depot is not freed before it is dropped.
        unsafe { self.0.as_ref() }
    }
}

impl<T, X> Drop for Lease<T, X> {
    fn drop(&mut self) {
        // SAFETY: as in `deref`. The reference is not used after the lane is unlocked.
        let depot = unsafe { self.0.as_ref() };
        let (_, mut lane) = depot.lanes.any(thread_number());
        if lane.orphaned {
            drop(lane);
            // SAFETY: the last root left this lease's share in `refs`.
            unsafe { leave(self.0, 1) };
        } else {
            lane.leases -= 1;
            drop(lane);
        }
    }
}

/// A counted reference to a depot, made from a lease.
pub(crate) struct Alive<T, X>(NonNull<Depot<T, X>>);

impl<T, X> Deref for Alive<T, X> {
    type Target = Depot<T, X>;

    fn deref(&self) -> &Depot<T, X> {
        // SAFETY: this value owns 1 of `refs`.
        unsafe { self.0.as_ref() }
    }
}

impl<T, X> Drop for Alive<T, X> {
    fn drop(&mut self) {
        // SAFETY: this value owns 1 of `refs` and ends here.
        unsafe { leave(self.0, 1) };
    }
}

impl<T, X> fmt::Debug for Root<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root")
    }
}

impl<T, X> fmt::Debug for Lease<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}
