//! A bounded map from names to what they resolved to, with a time after which an entry is looked at again.
//!
//! Sixteen shards, each a mutex around a hash map held for the time of one look-up. A full shard drops its least
//! recently used entry, found by a scan: shards are small, and inserting is rare next to looking up.
//!
//! An entry past its time is handed out as [`Lookup::Stale`] to exactly one caller, who is expected to look again and
//! [`insert`](Cache::insert); until then the others go on with what is there. So a busy name costs one look a period
//! however many requests ask for it.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const SHARDS: usize = 16;

/// What the cache knows of a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup<V> {
    Fresh(V),
    Stale(V),
    Absent,
}

pub(crate) struct Cache<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
    hasher: RandomState,
    capacity: usize,
    period: Duration,
}

struct Shard<V> {
    slots: HashMap<Box<str>, Slot<V>>,
    clock: u64,
}

struct Slot<V> {
    value: V,
    checked: Instant,
    used: u64,
}

impl<V: Clone> Cache<V> {
    /// A cache of about `capacity` entries (rounded up to a multiple of sixteen; 0 turns it off).
    pub(crate) fn new(capacity: usize, period: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| {
                Mutex::new(Shard {
                    slots: HashMap::new(),
                    clock: 0,
                })
            }),
            hasher: RandomState::new(),
            capacity: capacity.div_ceil(SHARDS),
            period,
        }
    }

    pub(crate) fn get(&self, key: &str, now: Instant) -> Lookup<V> {
        let mut shard = self.shard(key);
        shard.clock += 1;
        let clock = shard.clock;
        let Some(slot) = shard.slots.get_mut(key) else {
            return Lookup::Absent;
        };
        slot.used = clock;
        if now.saturating_duration_since(slot.checked) < self.period {
            return Lookup::Fresh(slot.value.clone());
        }
        slot.checked = now;
        Lookup::Stale(slot.value.clone())
    }

    pub(crate) fn insert(&self, key: &str, value: V, now: Instant) {
        if self.capacity == 0 {
            return;
        }
        let mut shard = self.shard(key);
        shard.clock += 1;
        let slot = Slot {
            value,
            checked: now,
            used: shard.clock,
        };
        if !shard.slots.contains_key(key) && shard.slots.len() >= self.capacity {
            let oldest = shard
                .slots
                .iter()
                .min_by_key(|(_, slot)| slot.used)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                shard.slots.remove(&oldest);
            }
        }
        shard.slots.insert(key.into(), slot);
    }

    pub(crate) fn remove(&self, key: &str) {
        self.shard(key).slots.remove(key);
    }

    fn shard(&self, key: &str) -> std::sync::MutexGuard<'_, Shard<V>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: usize = self
            .shards
            .iter()
            .map(|shard| {
                shard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .slots
                    .len()
            })
            .sum();
        f.debug_struct("Cache")
            .field("entries", &entries)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_goes_stale_for_one_caller_a_period() {
        let cache = Cache::new(16, Duration::from_secs(1));
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        assert_eq!(cache.get("a", start), Lookup::Absent);
        cache.insert("a", 1, start);
        assert_eq!(cache.get("a", start), Lookup::Fresh(1));
        assert_eq!(cache.get("a", later), Lookup::Stale(1));
        assert_eq!(cache.get("a", later), Lookup::Fresh(1));
        cache.insert("a", 2, later);
        assert_eq!(cache.get("a", later), Lookup::Fresh(2));
        cache.remove("a");
        assert_eq!(cache.get("a", later), Lookup::Absent);
    }

    #[test]
    fn a_full_cache_keeps_what_is_used() {
        let cache = Cache::new(64, Duration::from_secs(9));
        let now = Instant::now();
        cache.insert("hot", 0, now);
        for i in 0..10_000 {
            cache.insert(&format!("name {i}"), i, now);
            assert_eq!(cache.get("hot", now), Lookup::Fresh(0), "after {i}");
        }
        let held: usize = cache
            .shards
            .iter()
            .map(|s| s.lock().unwrap().slots.len())
            .sum();
        assert!(held <= 64, "{held}");
    }

    #[test]
    fn no_capacity_means_no_cache() {
        let cache = Cache::new(0, Duration::from_secs(9));
        cache.insert("a", 1, Instant::now());
        assert_eq!(cache.get("a", Instant::now()), Lookup::Absent);
    }
}
