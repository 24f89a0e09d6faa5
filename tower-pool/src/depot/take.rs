//! Handing out.

use super::{CLOSED, Depot, Extra, Refusal};
use crate::{
    raw::shared::{Lease, Root},
    sync::{Ordering, thread_number},
};

impl<T: Send + 'static, X: Extra<T>> Depot<T, X> {
    /// An idle item of `class`, or the right to make one: its cost is charged then.
    #[inline(always)]
    pub(crate) fn take(
        root: &Root<T, X>,
        class: usize,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        match root.take_at_hand(class) {
            Some((lease, item)) => Ok((lease, Some(item))),
            None => Self::take_from_lanes(root, class),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_from_lanes(
        root: &Root<T, X>,
        class: usize,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        let cost = root.costs[class];
        let (lease, item) = root.checkout(|index, lane| {
            root.admit()?;
            let item = match lane.pop(class, cost) {
                Some(item) => Some(item),
                None => root.lanes.steal(index, lane, class, cost),
            };
            let shelf = lane.shelf(class);
            shelf.in_use += 1;
            if item.is_some() {
                shelf.hits += 1;
                root.refill(lane, class);
            }
            Ok(item)
        })?;
        root.settle_in();
        if item.is_some() {
            return Ok((lease, item));
        }
        match lease.find_or_charge(Some(class), cost) {
            Ok(item) => Ok((lease, item)),
            Err(refusal) => {
                lease.uncount_use(class);
                Self::end(lease);
                Err(refusal)
            }
        }
    }

    /// The right to make an item of `class` with `cost`, or at the limit, after looking again and
    /// thoroughly, an idle one.
    fn find_or_charge(&self, class: Option<usize>, cost: usize) -> Result<Option<T>, Refusal> {
        let charged = self.charge(cost);
        let item = match class {
            Some(class) if !charged => self.find_idle(class),
            _ => None,
        };
        if !charged && item.is_none() && !self.make_room(class, cost) {
            return Err(Refusal::Exhausted);
        }
        if let Some(class) = class {
            let (_, mut lane) = self.lanes.any(thread_number());
            let shelf = lane.shelf(class);
            if item.is_some() {
                shelf.hits += 1;
            } else {
                shelf.misses += 1;
            }
        }
        Ok(item)
    }

    /// The right to make an item of `class`, idle ones or not.
    pub(crate) fn take_place(root: &Root<T, X>, class: usize) -> Result<Lease<T, X>, Refusal> {
        let (lease, ()) = root.checkout(|_, lane| {
            root.admit()?;
            lane.shelf(class).in_use += 1;
            Ok(())
        })?;
        if lease.charge(root.costs[class]) {
            return Ok(lease);
        }
        lease.uncount_use(class);
        Self::end(lease);
        Err(Refusal::Exhausted)
    }

    /// An idle item of `class`, limit or not; `None` when there is none near.
    pub(crate) fn take_idle(root: &Root<T, X>, class: usize) -> Option<(Lease<T, X>, T)> {
        root.take_at_hand(class).or_else(|| {
            let found = root.checkout(|index, lane| {
                let item = lane.pop(class, root.costs[class]);
                let item = item
                    .or_else(|| root.lanes.steal(index, lane, class, root.costs[class]))
                    .ok_or(())?;
                let shelf = lane.shelf(class);
                shelf.in_use += 1;
                shelf.hits += 1;
                root.refill(lane, class);
                Ok::<_, ()>(item)
            });
            root.settle_in();
            found.ok()
        })
    }

    /// Counts that an item of `class` was made.
    pub(crate) fn count_miss(&self, class: usize) {
        self.lanes.any(thread_number()).1.shelf(class).misses += 1;
    }

    /// An idle item in place of one that was destroyed, if there is one. The caller's lease stays, and
    /// one cost less is charged when there is.
    pub(crate) fn replace(&self, class: usize) -> Option<T> {
        let item = self.find_idle(class)?;
        self.uncharge(self.costs[class]);
        Some(item)
    }

    /// The right to make an item of no class with `cost`.
    pub(crate) fn take_unclassed(root: &Root<T, X>, cost: usize) -> Result<Lease<T, X>, Refusal> {
        let (lease, ()) = root.checkout(|_, _| root.admit())?;
        if lease.charge(cost) || lease.make_room(None, cost) {
            return Ok(lease);
        }
        Self::end(lease);
        Err(Refusal::Exhausted)
    }

    /// More for a lease that exists: ahead of the queue, since what is out must be able to finish.
    pub(crate) fn take_more(
        &self,
        class: Option<usize>,
        cost: usize,
    ) -> Result<Option<T>, Refusal> {
        if let Some(class) = class {
            let (index, mut lane) = self.lanes.any(thread_number());
            let mut item = lane.pop(class, cost);
            if item.is_none() {
                item = self.lanes.steal(index, &mut lane, class, cost);
            }
            let shelf = lane.shelf(class);
            shelf.in_use += 1;
            if item.is_some() {
                shelf.hits += 1;
                return Ok(item);
            }
        }
        let found = self.find_or_charge(class, cost);
        if let (Err(_), Some(class)) = (&found, class) {
            self.uncount_use(class);
        }
        found
    }

    /// An item of `class`, or the right to make one, ahead of the queue: for what lets others finish.
    pub(crate) fn take_ahead(
        root: &Root<T, X>,
        class: usize,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        let (lease, ()) = root.checkout(|_, _| match root.admit() {
            Err(Refusal::Closed) => Err(Refusal::Closed),
            Ok(()) | Err(Refusal::Exhausted) => Ok(()),
        })?;
        match lease.take_more(Some(class), root.costs[class]) {
            Ok(item) => Ok((lease, item)),
            Err(refusal) => {
                Self::end(lease);
                Err(refusal)
            }
        }
    }

    #[inline]
    fn admit(&self) -> Result<(), Refusal> {
        match self.mode.load(Ordering::Relaxed) {
            0 => Ok(()),
            mode if mode & CLOSED != 0 => Err(Refusal::Closed),
            _ => Err(Refusal::Exhausted),
        }
    }

    /// Counts the use of a grant made to a lease that exists.
    pub(crate) fn count_use(&self, class: Option<usize>) {
        if let Some(class) = class {
            self.lanes.any(thread_number()).1.shelf(class).in_use += 1;
        }
    }

    pub(crate) fn uncount_use(&self, class: usize) {
        self.lanes.any(thread_number()).1.shelf(class).in_use -= 1;
    }

    /// An idle item of `class`, wherever it is.
    pub(super) fn find_idle(&self, class: usize) -> Option<T> {
        let look = || {
            let mut lanes = self.lanes.iter();
            lanes.find_map(|lane| lane.lock().pop(class, self.costs[class]))
        };
        look().or_else(|| {
            self.gather();
            look()
        })
    }
}
