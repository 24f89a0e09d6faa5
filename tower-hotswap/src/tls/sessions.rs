//! A bounded cache of sessions that can be emptied.

use std::{fmt, sync::Arc};

use tokio_rustls::rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use crate::store::Cell;

pub(super) struct Sessions {
    cache: Cell<Arc<ServerSessionMemoryCache>>,
    capacity: usize,
}

impl Sessions {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            cache: Cell::new(Arc::new(ServerSessionMemoryCache::new(capacity))),
            capacity,
        })
    }

    pub(super) fn forget(&self) {
        let cache = ServerSessionMemoryCache::new(self.capacity);
        self.cache.store(Arc::new(cache));
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.load().put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.load().get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.load().take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({})", self.capacity)
    }
}
