//! Models of the store and of the count of what is in flight, run through the interleavings by loom:
//! `RUSTFLAGS="--cfg hotswap_loom" cargo test -p tower-hotswap --lib --release model`.

use std::sync::Arc;

use loom::thread;

use crate::{
    Canary, Selector, Snapshot, SnapshotId, SwapError, Version,
    automatic::{Side, Verdict},
    draft::Description,
    service::{Armed, Port},
    store::Store,
};

/// Every interleaving with at most three preemptions.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

fn snapshot(number: u64, id: SnapshotId) -> Snapshot<u64> {
    let version = Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes());
    Description::new(version).snapshot(id, number)
}

fn store(history: usize) -> Arc<Store<u64>> {
    let hash = crate::ContentHash::of(b"");
    Arc::new(Store::new(history, |id| snapshot(0, id), hash))
}

fn next(store: &Store<u64>, number: u64) -> Arc<Snapshot<u64>> {
    let id = store.next_id(crate::ContentHash::of(&number.to_le_bytes()));
    Arc::new(snapshot(number, id))
}

fn current(store: &Store<u64>) -> u64 {
    *store.table().primary.value()
}

/// A request: counted in by the table of its time. Returns what answered it.
fn request(store: &Store<u64>, side: Side) -> (u64, crate::InFlight) {
    loop {
        let table = Arc::clone(&store.table());
        let generation = table.side(side);
        if let Some(in_flight) = generation.enter() {
            return (*generation.value(), in_flight);
        }
    }
}

#[test]
fn of_two_publishers_who_saw_the_same_one_wins() {
    model(|| {
        let store = store(4);
        let seen = store.table().primary.snapshot().id;
        let (one, other) = (next(&store, 1), next(&store, 2));
        let rival = {
            let store = store.clone();
            thread::spawn(move || store.publish(one, Some(seen.into())).is_ok())
        };
        let won = store.publish(other, Some(seen.into()));
        let rival_won = rival.join().unwrap();
        assert!(won.is_ok() != rival_won);
        if let Err(error) = won {
            assert!(matches!(error, SwapError::Conflict { .. }));
        }
        assert_eq!(current(&store), if rival_won { 1 } else { 2 });
    });
}

#[test]
fn a_rollback_finds_its_target_whole_or_not_at_all() {
    model(|| {
        // Room for two: a third snapshot evicts the first, unless the rollback makes it current before.
        let store = store(2);
        let first = store.table().primary.snapshot().id;
        store.publish(next(&store, 1), None).unwrap();
        let third = next(&store, 2);
        let publisher = {
            let store = store.clone();
            thread::spawn(move || store.publish(third, None).unwrap())
        };
        let rolled_back = store.rollback(&Selector::Id(first), None);
        publisher.join().unwrap();
        match rolled_back {
            Ok(info) => assert_eq!(info.id, first),
            Err(error) => assert!(matches!(error, SwapError::Unknown { .. })),
        }
        // What is current can be found, whatever was evicted.
        let now = store.table().primary.snapshot().id;
        assert!(store.find(&Selector::Id(now)).is_ok());
        assert!([0, 2].contains(&current(&store)));
    });
}

#[test]
fn a_canary_and_a_publication_exclude_each_other() {
    model(|| {
        let store = store(4);
        let staged = next(&store, 1);
        let id = staged.id;
        store.stage(staged, None).unwrap();
        let published = next(&store, 2);
        let publisher = {
            let store = store.clone();
            thread::spawn(move || store.publish(published, None).is_ok())
        };
        let rule = Canary::percent(100.0).unwrap();
        store.canary(&Selector::Id(id), rule, None).unwrap();
        let (answer, in_flight) = request(&store, Side::Canary);
        assert_eq!(answer, 1);
        drop(in_flight);
        // The publisher came first, and is what the canary is beside; or it was refused.
        let base = if publisher.join().unwrap() { 2 } else { 0 };
        assert_eq!(current(&store), base);
        store.settle(Verdict::Promote, None).unwrap();
        assert_eq!(current(&store), 1);
        assert_eq!(store.flights().1.len(), 0, "all drained");
    });
}

#[test]
fn a_canary_is_settled_once() {
    model(|| {
        let store = store(4);
        let staged = next(&store, 1);
        let id = staged.id;
        store.stage(staged, None).unwrap();
        let rule = Canary::percent(50.0).unwrap();
        store.canary(&Selector::Id(id), rule, None).unwrap();
        let stamp = store.stamp();
        let judge = {
            let store = store.clone();
            thread::spawn(move || store.settle(Verdict::Abort, Some(stamp)).is_ok())
        };
        let promoted = store.settle(Verdict::Promote, None).is_ok();
        assert!(promoted != judge.join().unwrap());
        assert_eq!(current(&store), u64::from(promoted));
        assert!(store.table().canary.is_none());
    });
}

#[test]
fn a_generation_drains_after_its_last_request_and_once() {
    model(|| {
        let store = store(4);
        let mut events = store.events().subscribe();
        let requests: Vec<_> = (0..2)
            .map(|_| {
                let store = store.clone();
                thread::spawn(move || {
                    let (answer, in_flight) = request(&store, Side::Primary);
                    let flight = store.flights().1.first().cloned();
                    if answer == 0
                        && let Some(flight) = flight
                    {
                        assert!(!flight.is_drained(), "drained with a request in flight");
                    }
                    drop(in_flight);
                })
            })
            .collect();
        let replaced = store.publish(next(&store, 1), None).unwrap();
        for request in requests {
            request.join().unwrap();
        }
        assert!(replaced.is_drained());
        assert_eq!(replaced.in_flight(), 0);
        let mut drained = 0;
        while let Ok(event) = events.try_recv() {
            drained += usize::from(event.name() == "drained");
        }
        assert_eq!(drained, 1);
    });
}

#[test]
fn whoever_saw_the_new_generation_finds_the_old_one_stale() {
    model(|| {
        let store = store(4);
        let armed = store.table().stamp;
        let published = next(&store, 1);
        let publisher = {
            let store = store.clone();
            thread::spawn(move || store.publish(published, None).unwrap())
        };
        if current(&store) == 1 {
            assert_ne!(store.stamp(), armed, "a table is seen before its stamp");
        }
        publisher.join().unwrap();
        assert_ne!(store.stamp(), armed);
    });
}

#[test]
fn no_clone_of_an_earlier_generation_stays_in_a_port() {
    model(|| {
        let store = store(4);
        let ports = Port::all(&store);
        store.open(&ports);
        let published = next(&store, 1);
        let server = {
            let (store, port) = (store.clone(), ports[0].clone());
            thread::spawn(move || {
                let table = Arc::clone(&store.table());
                let door = table.primary.door(0).clone();
                let armed = Armed::new(table.stamp, *table.primary.value(), door);
                port.keep(Box::new(armed));
            })
        };
        store.publish(published, None).unwrap();
        server.join().unwrap();
        if let Some(kept) = ports[0].take() {
            assert_eq!(kept.stamp(), store.stamp());
        }
    });
}
