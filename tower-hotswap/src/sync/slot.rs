//! A place for one box, which is exchanged at once.

/// Whoever finds what another one put finds also what that one wrote before, and the other way round.
#[cfg(not(hotswap_loom))]
pub(crate) struct Slot<T>(crossbeam_utils::atomic::AtomicCell<Option<Box<T>>>);

#[cfg(not(hotswap_loom))]
impl<T> Slot<T> {
    #[inline]
    pub(crate) fn swap(&self, value: Option<Box<T>>) -> Option<Box<T>> {
        self.0.swap(value)
    }
}

#[cfg(not(hotswap_loom))]
impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(crossbeam_utils::atomic::AtomicCell::new(None))
    }
}

/// The model of the slot.
#[cfg(hotswap_loom)]
pub(crate) struct Slot<T>(loom::sync::Mutex<Option<Box<T>>>);

#[cfg(hotswap_loom)]
impl<T> Slot<T> {
    pub(crate) fn swap(&self, value: Option<Box<T>>) -> Option<Box<T>> {
        std::mem::replace(&mut *super::lock(&self.0), value)
    }
}

#[cfg(hotswap_loom)]
impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(loom::sync::Mutex::new(None))
    }
}
