//! Waiting for something to come home, first come, first served.
//!
//! Those who hold something already and need more go before those who hold nothing, since what is out must
//! be able to finish. They can still wait for each other: when everything that exists is held by those who
//! wait, nothing will ever come home. Then the one that holds the least is refused, at once, and what it
//! held serves the others.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{CLOSED, Depot, Extra, Refusal, WAITERS};
use crate::{
    raw::shared::{Lease, Root},
    sync::{Mutex, Ordering, lock},
};

/// Where a waiter joins the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Back,
    /// Ahead of those who hold nothing: for one who holds something of this cost.
    Holding(usize),
}

/// One place in the queue.
pub(super) struct Waiter<T> {
    /// The class wanted; `None` wants cost alone.
    class: Option<usize>,
    cost: usize,
    /// The cost of what the waiter holds while it waits.
    holds: usize,
    outcome: Mutex<Outcome<T>>,
}

struct Outcome<T> {
    waker: Option<Waker>,
    grant: Option<Grant<T>>,
}

/// What the queue hands to a waiter.
enum Grant<T> {
    Idle(T),
    Charge,
    Refused(Refusal),
}

impl<T> Waiter<T> {
    /// Leaves `grant` for the waiter; the waker is to be woken when no lock is held.
    #[must_use]
    fn tell(&self, grant: Grant<T>) -> Option<Waker> {
        let mut outcome = lock(&self.outcome);
        outcome.grant = Some(grant);
        outcome.waker.take()
    }
}

/// A place in the queue of a depot. Dropping it gives the place, or what was granted, to the next.
pub(crate) struct Wait<T: Send + 'static, X: Extra<T>> {
    root: Root<T, X>,
    waiter: Option<Arc<Waiter<T>>>,
}

impl<T: Send + 'static, X: Extra<T>> Wait<T, X> {
    pub(crate) fn join(
        root: &Root<T, X>,
        class: Option<usize>,
        cost: usize,
        place: Place,
    ) -> Result<Self, Refusal> {
        let waiter = root.enqueue(class, cost, place)?;
        Ok(Self {
            root: root.clone(),
            waiter: Some(waiter),
        })
    }

    /// What was granted: an idle item, or the right to make one. Not to be polled again after that.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, Refusal>> {
        let Some(waiter) = &self.waiter else {
            return Poll::Ready(Err(Refusal::Closed));
        };
        match self.root.poll_waiter(waiter, cx.waker()) {
            Some(granted) => {
                self.waiter = None;
                Poll::Ready(granted)
            }
            None => Poll::Pending,
        }
    }
}

impl<T: Send + 'static, X: Extra<T>> Drop for Wait<T, X> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.root.abandon(&waiter);
        }
    }
}

impl<T: Send + 'static, X: Extra<T>> Depot<T, X> {
    /// Joins the queue.
    fn enqueue(
        &self,
        class: Option<usize>,
        cost: usize,
        place: Place,
    ) -> Result<Arc<Waiter<T>>, Refusal> {
        let waiter = Arc::new(Waiter {
            class,
            cost,
            holds: match place {
                Place::Back => 0,
                Place::Holding(cost) => cost,
            },
            outcome: Mutex::new(Outcome {
                waker: None,
                grant: None,
            }),
        });
        {
            let mut queue = lock(&self.queue);
            if self.mode.fetch_or(WAITERS, Ordering::SeqCst) & CLOSED != 0 {
                if queue.is_empty() {
                    self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
                }
                return Err(Refusal::Closed);
            }
            let behind = match place {
                Place::Back => queue.len(),
                Place::Holding(_) => queue.partition_point(|other| other.holds > 0),
            };
            queue.insert(behind, waiter.clone());
        }
        self.events.waits.fetch_add(1, Ordering::Relaxed);
        self.serve();
        Ok(waiter)
    }

    /// Hands what there is to the queue's head, as far as it goes.
    pub(super) fn serve(&self) {
        let mut wakers = Vec::new();
        {
            let mut queue = lock(&self.queue);
            while let Some(head) = queue.front() {
                let idle = head.class.and_then(|class| self.find_idle(class));
                let grant = match idle {
                    Some(item) => Grant::Idle(item),
                    None if self.charge(head.cost) || self.make_room(head.class, head.cost) => {
                        Grant::Charge
                    }
                    None => break,
                };
                wakers.extend(head.tell(grant));
                queue.pop_front();
            }
            if let Some(victim) = self.victim(&queue)
                && let Some(waiter) = queue.remove(victim)
            {
                wakers.extend(waiter.tell(Grant::Refused(Refusal::Exhausted)));
            }
            if queue.is_empty() {
                self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// When everything that exists is held by those who wait: the place of the one that holds the least,
    /// of several the last.
    fn victim(&self, queue: &VecDeque<Arc<Waiter<T>>>) -> Option<usize> {
        let held: usize = queue.iter().map(|waiter| waiter.holds).sum();
        if held == 0 || held < self.used() {
            return None;
        }
        let holders = queue.iter().enumerate();
        let holders = holders.filter(|(_, waiter)| waiter.holds > 0);
        let (place, _) = holders.rev().min_by_key(|(_, waiter)| waiter.holds)?;
        Some(place)
    }

    /// What the queue gave to `waiter`: an idle item or a charge; `None` so far nothing.
    fn poll_waiter(&self, waiter: &Waiter<T>, waker: &Waker) -> Option<Result<Option<T>, Refusal>> {
        let mut outcome = lock(&waiter.outcome);
        match outcome.grant.take() {
            Some(Grant::Idle(item)) => Some(Ok(Some(item))),
            Some(Grant::Charge) => Some(Ok(None)),
            Some(Grant::Refused(refusal)) => Some(Err(refusal)),
            None => {
                match &mut outcome.waker {
                    Some(kept) => kept.clone_from(waker),
                    none => *none = Some(waker.clone()),
                }
                None
            }
        }
    }

    /// Counts the lease of a grant; hands the grant back when the pool closed meanwhile.
    pub(crate) fn lease_granted(
        root: &Root<T, X>,
        class: Option<usize>,
        cost: usize,
        item: Option<T>,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        let counted = root.checkout(|_, lane| {
            if root.mode.load(Ordering::Relaxed) & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            if let Some(class) = class {
                let shelf = lane.shelf(class);
                shelf.in_use += 1;
                if item.is_some() {
                    shelf.hits += 1;
                } else {
                    shelf.misses += 1;
                }
            }
            Ok(())
        });
        match counted {
            Ok((lease, ())) => Ok((lease, item)),
            Err(refusal) => {
                drop(item);
                root.uncharge(cost);
                Err(refusal)
            }
        }
    }

    /// Leaves the queue; what had been granted goes to the next.
    fn abandon(&self, waiter: &Arc<Waiter<T>>) {
        {
            let mut queue = lock(&self.queue);
            queue.retain(|other| !Arc::ptr_eq(other, waiter));
            if queue.is_empty() {
                self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
            }
        }
        let grant = lock(&waiter.outcome).grant.take();
        match (grant, waiter.class) {
            (Some(Grant::Idle(item)), Some(class)) => self.shelve(class, item),
            (Some(Grant::Idle(item)), None) => {
                drop(item);
                self.uncharge(waiter.cost);
            }
            (Some(Grant::Charge), _) => self.uncharge(waiter.cost),
            (Some(Grant::Refused(_)) | None, _) => {}
        }
        self.serve();
    }

    /// Fails everybody in the queue.
    pub(super) fn fail_all(&self) {
        let queue: VecDeque<_> = std::mem::take(&mut *lock(&self.queue));
        self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
        for waiter in queue {
            if let Some(waker) = waiter.tell(Grant::Refused(Refusal::Closed)) {
                waker.wake();
            }
        }
    }
}
