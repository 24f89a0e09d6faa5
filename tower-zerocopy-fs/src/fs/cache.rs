//! A bounded map from names to what they resolved to, with a time after which an entry is looked at again.
//!
//! Sixteen shards, each a mutex around a hash map held for the time of one look-up. A full shard drops its least
//! recently used entry, found by a scan: shards are small, and inserting is rare next to looking up.
//!
//! An entry past its time is handed out as [`Lookup::Stale`] to exactly one caller, who is expected to look again and
//! [`insert`](Cache::insert); until then the others go on with what is there. So a busy name costs one look a period
//! however many requests ask for it.
//!
//! An entry that nobody has asked for in [`IDLE`] goes when others of its shard come, so that files deleted meanwhile do not
//! hold their descriptors and their room on the disk until the cache is full. Inserting is done off the reactor, where
//! closing the last descriptor of a deleted file may take its time.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const SHARDS: usize = 16;

/// How long a name is kept that nobody asks for, past its period.
const IDLE: Duration = Duration::from_secs(60);

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
    /// By the hash of the name, which is keyed, so that no visitor can find two names of one hash. Should two meet, the
    /// later one takes the slot.
    slots: HashMap<u64, Slot<V>, BuildHasherDefault<Hashed>>,
    clock: u64,
    /// When idle entries were last looked for.
    swept: Option<Instant>,
}

struct Slot<V> {
    name: Box<str>,
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
                    slots: HashMap::default(),
                    clock: 0,
                    swept: None,
                })
            }),
            hasher: RandomState::new(),
            capacity: capacity.div_ceil(SHARDS),
            period,
        }
    }

    pub(crate) fn get(&self, key: &str, now: Instant) -> Lookup<V> {
        let (hash, mut shard) = self.shard(key);
        shard.clock += 1;
        let clock = shard.clock;
        let Some(slot) = shard.slots.get_mut(&hash).filter(|slot| *slot.name == *key) else {
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
        let (hash, mut shard) = self.shard(key);
        let idle = shard.sweep(now, self.period.saturating_add(IDLE));
        shard.clock += 1;
        let slot = Slot {
            name: key.into(),
            value,
            checked: now,
            used: shard.clock,
        };
        if !shard.slots.contains_key(&hash) && shard.slots.len() >= self.capacity {
            let oldest = shard
                .slots
                .iter()
                .min_by_key(|(_, slot)| slot.used)
                .map(|(hash, _)| *hash);
            if let Some(oldest) = oldest {
                shard.slots.remove(&oldest);
            }
        }
        shard.slots.insert(hash, slot);
        // Outside of the lock: dropping the values may close files.
        drop(shard);
        drop(idle);
    }

    pub(crate) fn remove(&self, key: &str) {
        let (hash, mut shard) = self.shard(key);
        if shard
            .slots
            .get(&hash)
            .is_some_and(|slot| *slot.name == *key)
        {
            shard.slots.remove(&hash);
        }
    }

    fn shard(&self, key: &str) -> (u64, MutexGuard<'_, Shard<V>>) {
        let hash = self.hasher.hash_one(key);
        let shard = &self.shards[hash as usize % SHARDS];
        (hash, shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<V> Shard<V> {
    /// Takes out what was last checked `idle` ago or earlier, at most once in [`IDLE`]: whatever is asked for after its period
    /// is checked then.
    fn sweep(&mut self, now: Instant, idle: Duration) -> Vec<Slot<V>> {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.swept.is_some_and(|swept| since(swept) < IDLE) {
            return Vec::new();
        }
        self.swept = Some(now);
        let slots = self.slots.extract_if(|_, slot| since(slot.checked) >= idle);
        slots.map(|(_, slot)| slot).collect()
    }
}

/// Passes a hash on as it is, with the bits that chose the shard moved out of the way.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0.rotate_right(SHARDS.trailing_zeros())
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
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
    fn names_nobody_asks_for_are_let_go() {
        let period = Duration::from_secs(1);
        let (cache, start) = (Cache::new(4096, period), Instant::now());
        let file = std::sync::Arc::new(());
        for i in 0..100 {
            cache.insert(&format!("deleted {i}"), file.clone(), start);
        }
        cache.insert("busy", file.clone(), start);
        let later = start + period + IDLE;
        let held = std::sync::Arc::strong_count(&file);
        assert_eq!(held, 102, "nothing goes before its time");
        assert_eq!(
            cache.get("busy", later - period),
            Lookup::Stale(file.clone())
        );
        for i in 0..1000 {
            cache.insert(&format!("new {i}"), std::sync::Arc::new(()), later);
        }
        assert_eq!(std::sync::Arc::strong_count(&file), 2, "the busy one stays");
        assert_eq!(cache.get("busy", later), Lookup::Stale(file));
    }

    #[test]
    fn no_capacity_means_no_cache() {
        let cache = Cache::new(0, Duration::from_secs(9));
        cache.insert("a", 1, Instant::now());
        assert_eq!(cache.get("a", Instant::now()), Lookup::Absent);
    }
}
