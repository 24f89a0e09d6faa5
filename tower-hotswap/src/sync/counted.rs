//! The model of std's `Arc` and `Weak`, whose counts loom does not see: one count, under a lock of loom's.

use std::{ops::Deref, sync::Arc};

use super::{Mutex, lock};

/// How many own the value, and the value while anybody does.
type Shared<T> = Arc<Mutex<(usize, Option<Arc<T>>)>>;

/// An owner, as `Arc`.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    shared: Shared<T>,
    value: Arc<T>,
}

impl<T> Counted<T> {
    pub(crate) fn new(value: T) -> Self {
        let value = Arc::new(value);
        let shared = Arc::new(Mutex::new((1, Some(value.clone()))));
        Self { shared, value }
    }

    pub(crate) fn downgrade(this: &Self) -> Uncounted<T> {
        Uncounted(this.shared.clone())
    }
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        lock(&self.shared).0 += 1;
        Self {
            shared: self.shared.clone(),
            value: self.value.clone(),
        }
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.0 -= 1;
        if shared.0 == 0 {
            let value = shared.1.take();
            // The value's end takes other locks.
            drop(shared);
            drop(value);
        }
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What finds the value while anybody owns it, as `Weak`.
#[derive(Debug)]
pub(crate) struct Uncounted<T>(Shared<T>);

impl<T> Uncounted<T> {
    pub(crate) fn upgrade(&self) -> Option<Counted<T>> {
        let mut shared = lock(&self.0);
        let value = shared.1.clone()?;
        shared.0 += 1;
        Some(Counted {
            shared: self.0.clone(),
            value,
        })
    }

    pub(crate) fn strong_count(&self) -> usize {
        lock(&self.0).0
    }
}

impl<T> Clone for Uncounted<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
