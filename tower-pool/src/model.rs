//! Models of the free list, the queue and the end of life, run through the interleavings by loom:
//! `RUSTFLAGS="--cfg pool_loom" cargo test -p tower-pool --lib --release model`.

use std::task::Poll;

use loom::{
    future::block_on,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    depot::{Depot, Extra, Place, Refusal, Setup, Wait},
    raw::shared::{Lease, Root},
};

/// Every interleaving with at most three preemptions.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// Counts the items that exist.
struct Item(Arc<AtomicUsize>);

impl Item {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(alive.clone())
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts the ends of the depot, and what came home to it while it was closing.
struct Ends {
    freed: Arc<AtomicUsize>,
    home: Arc<AtomicUsize>,
}

impl<T> Extra<T> for Ends {
    fn came_home(&self) {
        self.home.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.freed.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    alive: Arc<AtomicUsize>,
    freed: Arc<AtomicUsize>,
    home: Arc<AtomicUsize>,
}

fn world(lanes: usize, limit: usize) -> (World, Root<Item, Ends>) {
    let counter = || Arc::new(AtomicUsize::new(0));
    let world = World {
        alive: counter(),
        freed: counter(),
        home: counter(),
    };
    let ends = Ends {
        freed: world.freed.clone(),
        home: world.home.clone(),
    };
    let setup = Setup {
        lanes,
        costs: Box::new([1]),
        limit,
        lane_ceiling: 8,
        hand_ceiling: 2,
    };
    let root = Depot::build(setup, ends);
    (world, root)
}

fn take(
    root: &Root<Item, Ends>,
    alive: &Arc<AtomicUsize>,
) -> Result<(Lease<Item, Ends>, Item), Refusal> {
    let (lease, item) = Depot::take(root, 0)?;
    Ok((lease, item.unwrap_or_else(|| Item::new(alive))))
}

impl World {
    /// The depot and every item are gone, once.
    fn assert_over(&self) {
        assert_eq!(
            self.freed.load(Ordering::Relaxed),
            1,
            "times the depot was freed"
        );
        assert_eq!(self.alive.load(Ordering::Relaxed), 0, "items left");
    }
}

#[test]
fn an_item_released_elsewhere_is_owned_by_one_at_a_time() {
    model(|| {
        let (world, root) = world(2, 2);
        let other = {
            let (root, alive) = (root.clone(), world.alive.clone());
            thread::spawn(move || {
                let (lease, item) = take(&root, &alive).unwrap();
                Depot::give(lease, 0, item);
            })
        };
        let (lease, item) = take(&root, &world.alive).unwrap();
        Depot::give(lease, 0, item);
        other.join().unwrap();
        assert_eq!(root.leases(), 0);
        assert_eq!(root.used(), world.alive.load(Ordering::Relaxed));
        drop(root);
        world.assert_over();
    });
}

#[test]
fn the_last_of_root_and_leases_frees_the_core() {
    model(|| {
        let (world, root) = world(2, 2);
        let (first, item) = take(&root, &world.alive).unwrap();
        let (second, other_item) = take(&root, &world.alive).unwrap();
        let releaser = thread::spawn(move || Depot::give(first, 0, item));
        drop(root);
        Depot::give(second, 0, other_item);
        releaser.join().unwrap();
        world.assert_over();
    });
}

#[test]
fn a_release_is_never_lost_on_a_waiter() {
    model(|| {
        let (world, root) = world(2, 1);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let releaser = thread::spawn(move || Depot::give(lease, 0, item));
        let taken = match take(&root, &world.alive) {
            Ok(taken) => taken,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::Exhausted);
                let mut wait = Wait::join(&root, Some(0), 1, Place::Back).unwrap();
                let granted = block_on(std::future::poll_fn(|cx| wait.poll(cx))).unwrap();
                let (lease, item) = Depot::lease_granted(&root, Some(0), 1, granted).unwrap();
                (lease, item.unwrap_or_else(|| Item::new(&world.alive)))
            }
        };
        Depot::give(taken.0, 0, taken.1);
        releaser.join().unwrap();
        assert_eq!(root.waiting(), 0);
        drop(root);
        world.assert_over();
    });
}

#[test]
fn an_abandoned_wait_loses_nothing() {
    model(|| {
        let (world, root) = world(1, 1);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let wait = Wait::join(&root, Some(0), 1, Place::Back).unwrap();
        let releaser = thread::spawn(move || Depot::give(lease, 0, item));
        drop(wait);
        releaser.join().unwrap();
        let (lease, item) = take(&root, &world.alive).unwrap();
        Depot::give(lease, 0, item);
        assert_eq!(root.used(), 1);
        drop(root);
        world.assert_over();
    });
}

#[test]
fn closing_hears_of_every_homecoming() {
    model(|| {
        let (world, root) = world(1, 1);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let releaser = thread::spawn(move || Depot::give(lease, 0, item));
        root.close();
        let mut wait_refused = false;
        if root.leases() != 0 {
            wait_refused = Wait::join(&root, Some(0), 1, Place::Back).is_err();
        }
        releaser.join().unwrap();
        assert_eq!(root.leases(), 0);
        assert_eq!(root.used(), 0, "idle or in use after the close");
        // Whoever counted something out is told when it is home.
        assert!(!wait_refused || world.home.load(Ordering::Relaxed) == 1);
        drop(root);
        world.assert_over();
    });
}

#[test]
fn a_waiter_is_failed_by_close() {
    model(|| {
        let (world, root) = world(1, 1);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let closer = {
            let root = root.clone();
            thread::spawn(move || root.close())
        };
        if let Ok(mut wait) = Wait::join(&root, Some(0), 1, Place::Back) {
            let granted = block_on(std::future::poll_fn(|cx| match wait.poll(cx) {
                Poll::Ready(granted) => Poll::Ready(granted.map(|_| ())),
                Poll::Pending => Poll::Pending,
            }));
            assert_eq!(granted, Err(Refusal::Closed));
        }
        closer.join().unwrap();
        Depot::give(lease, 0, item);
        drop(root);
        world.assert_over();
    });
}

#[test]
fn a_try_lock_excludes() {
    model(|| {
        let lock = Arc::new(crate::raw::try_lock::TryLock::new(0));
        let other = {
            let lock = lock.clone();
            thread::spawn(move || *lock.lock() += 1)
        };
        if let Some(mut value) = lock.try_lock() {
            *value += 2;
        }
        *lock.lock() += 4;
        other.join().unwrap();
        assert!([5, 7].contains(&*lock.lock()));
    });
}

/// Takes and gives twice: first the thread gets a slot, then something in it.
fn settle(root: &Root<Item, Ends>, alive: &Arc<AtomicUsize>) {
    for _ in 0..2 {
        let (lease, item) = take(root, alive).unwrap();
        Depot::give(lease, 0, item);
    }
}

/// Leaves the pool's one item at the calling thread's hand.
fn warm(root: &Root<Item, Ends>, alive: &Arc<AtomicUsize>) {
    settle(root, alive);
    assert!(root.take_at_hand(0).is_some_and(|(lease, item)| {
        Depot::give(lease, 0, item);
        true
    }));
}

#[test]
fn an_item_at_hand_is_taken_by_its_thread_or_by_who_gathers() {
    model(|| {
        let (world, root) = world(1, 1);
        warm(&root, &world.alive);
        let other = {
            let (root, alive) = (root.clone(), world.alive.clone());
            thread::spawn(move || {
                if let Ok((lease, item)) = take(&root, &alive) {
                    Depot::give(lease, 0, item);
                }
            })
        };
        if let Ok((lease, item)) = take(&root, &world.alive) {
            assert_eq!(world.alive.load(Ordering::Relaxed), 1, "over the limit");
            Depot::give(lease, 0, item);
        }
        other.join().unwrap();
        let totals = root.totals();
        assert_eq!((totals.leases, totals.classes[0].idle), (0, 1));
        drop(root);
        world.assert_over();
    });
}

#[test]
fn figures_are_exact_once_all_is_quiet() {
    model(|| {
        let (world, root) = world(1, 1);
        warm(&root, &world.alive);
        let reader = {
            let root = root.clone();
            thread::spawn(move || root.totals().leases)
        };
        let (lease, item) = take(&root, &world.alive).unwrap();
        Depot::give(lease, 0, item);
        assert!(reader.join().unwrap() <= 1);
        let totals = root.totals();
        assert_eq!((totals.leases, totals.classes[0].idle), (0, 1));
        assert_eq!((totals.classes[0].hits, totals.classes[0].misses), (3, 1));
    });
}

#[test]
fn a_release_to_hand_is_never_lost_on_a_waiter() {
    model(|| {
        let (world, root) = world(1, 1);
        warm(&root, &world.alive);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let waiter = {
            let root = root.clone();
            thread::spawn(move || {
                let mut wait = Wait::join(&root, Some(0), 1, Place::Back).unwrap();
                let granted = block_on(std::future::poll_fn(|cx| wait.poll(cx))).unwrap();
                let (lease, item) = Depot::lease_granted(&root, Some(0), 1, granted).unwrap();
                Depot::give(lease, 0, item.expect("the one item"));
            })
        };
        Depot::give(lease, 0, item);
        waiter.join().unwrap();
        assert_eq!((root.waiting(), root.leases()), (0, 0));
        drop(root);
        world.assert_over();
    });
}

#[test]
fn closing_finds_what_is_given_to_hand() {
    model(|| {
        let (world, root) = world(1, 1);
        warm(&root, &world.alive);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let closer = {
            let (root, home) = (root.clone(), world.home.clone());
            thread::spawn(move || {
                root.close();
                // What is out now will ring.
                (root.leases(), home)
            })
        };
        Depot::give(lease, 0, item);
        let (out, home) = closer.join().unwrap();
        assert!(out == 0 || home.load(Ordering::Relaxed) == 1, "not heard");
        assert_eq!((root.leases(), root.used()), (0, 0));
        drop(root);
        world.assert_over();
    });
}

#[test]
fn the_last_root_and_a_release_to_hand_free_the_core_once() {
    model(|| {
        let (world, root) = world(1, 1);
        warm(&root, &world.alive);
        let (lease, item) = take(&root, &world.alive).unwrap();
        let dropper = thread::spawn(move || drop(root));
        Depot::give(lease, 0, item);
        dropper.join().unwrap();
        world.assert_over();
    });
}

#[test]
fn what_an_ended_thread_had_at_hand_stays_with_the_pool() {
    model(|| {
        let (world, root) = world(1, 1);
        let worker = {
            let (root, alive) = (root.clone(), world.alive.clone());
            thread::spawn(move || settle(&root, &alive))
        };
        root.totals();
        worker.join().unwrap();
        let totals = root.totals();
        assert_eq!((totals.leases, totals.classes[0].idle), (0, 1));
        let (lease, item) = take(&root, &world.alive).unwrap();
        assert_eq!(world.alive.load(Ordering::Relaxed), 1);
        Depot::give(lease, 0, item);
        drop(root);
        world.assert_over();
    });
}

#[test]
fn a_slot_that_was_barred_is_opened_again() {
    model(|| {
        let (world, root) = world(1, 1);
        warm(&root, &world.alive);
        let (lease, item) = take(&root, &world.alive).unwrap();
        drop(Wait::join(&root, Some(0), 1, Place::Back).unwrap());
        Depot::give(lease, 0, item);
        for _ in 0..2 {
            let (lease, item) = take(&root, &world.alive).unwrap();
            Depot::give(lease, 0, item);
        }
        warm(&root, &world.alive);
        drop(root);
        world.assert_over();
    });
}
