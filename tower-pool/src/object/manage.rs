//! How objects come to be, stay good, and are cleaned.

use std::{convert::Infallible, fmt, future::Future};

/// Whether a returned object is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recycle {
    /// It may be handed out again.
    #[default]
    Keep,
    /// It is of no further use.
    Discard,
}

/// Makes and judges the objects of an [`ObjectPool`](super::ObjectPool).
pub trait Manage<T>: Send + Sync + 'static {
    /// Why an object could not be made.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Makes an object. Its place under the limit is reserved meanwhile, and free again when this fails
    /// or is cancelled.
    fn create(&self) -> impl Future<Output = Result<T, Self::Error>> + Send;

    /// Whether an idle object may be handed out. One that may not is destroyed, and the next idle one
    /// is looked at, before a new one is made. Cancelling it destroys the object.
    fn validate(&self, object: &mut T) -> impl Future<Output = bool> + Send {
        let _ = object;
        std::future::ready(true)
    }

    /// Cleans an object that came home, on the thread that dropped it: it must not block. A panic in
    /// it destroys the object.
    fn recycle(&self, object: &mut T) -> Recycle {
        let _ = object;
        Recycle::Keep
    }
}

/// Makes objects by one function and cleans them by another: for things that are made at once and never
/// go bad.
pub struct Plain<T> {
    make: Box<dyn Fn() -> T + Send + Sync>,
    clean: Box<dyn Fn(&mut T) + Send + Sync>,
}

impl<T> Plain<T> {
    /// Objects made by `make`, made as good as new by `clean` when they come home.
    pub fn new(
        make: impl Fn() -> T + Send + Sync + 'static,
        clean: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
            clean: Box::new(clean),
        }
    }

    pub(super) fn make(&self) -> T {
        (self.make)()
    }
}

impl<T: Send + 'static> Manage<T> for Plain<T> {
    type Error = Infallible;

    fn create(&self) -> impl Future<Output = Result<T, Infallible>> + Send {
        std::future::ready(Ok(self.make()))
    }

    fn recycle(&self, object: &mut T) -> Recycle {
        (self.clean)(object);
        Recycle::Keep
    }
}

impl<T> fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain").finish_non_exhaustive()
    }
}
