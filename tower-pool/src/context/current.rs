//! The contexts of the request that this thread is working on.

use std::{
    any::{Any, type_name},
    cell::RefCell,
    fmt,
    ops::Deref,
    sync::Arc,
};

pub(super) type Erased = Arc<dyn Any + Send + Sync>;

thread_local! {
    /// Outermost first.
    static STACK: RefCell<Vec<Erased>> = const { RefCell::new(Vec::new()) };
}

/// Puts a context on the stack while it lives.
pub(super) struct Scope<'a> {
    home: &'a mut Option<Erased>,
}

impl<'a> Scope<'a> {
    pub(super) fn enter(home: &'a mut Option<Erased>) -> Self {
        if let Some(context) = home.take() {
            STACK.with_borrow_mut(|stack| stack.push(context));
        }
        Self { home }
    }
}

impl Drop for Scope<'_> {
    /// Runs on unwinding too, so that a panic leaves the stack as it was.
    fn drop(&mut self) {
        *self.home = STACK.with_borrow_mut(Vec::pop);
    }
}

/// The context of a request, to read. Cheap to clone.
pub struct Context<C>(Arc<C>);

impl<C: Send + Sync + 'static> Context<C> {
    /// The context of the request that this thread is working on.
    ///
    /// # Errors
    /// [`ContextError::Missing`] outside of a [`ContextLayer<C>`](super::ContextLayer).
    pub fn current() -> Result<Self, ContextError> {
        STACK.with_borrow(|stack| {
            let found = stack.iter().rev().find(|context| (***context).is::<C>());
            let context = found.ok_or(ContextError::Missing(type_name::<C>()))?;
            match Arc::clone(context).downcast::<C>() {
                Ok(context) => Ok(Self(context)),
                Err(_) => Err(ContextError::Missing(type_name::<C>())),
            }
        })
    }
}

/// Changes the context of the request that this thread is working on. Do not call it from within
/// itself, for it holds the stack.
///
/// # Errors
/// [`ContextError::Missing`] outside of a [`ContextLayer<C>`](super::ContextLayer), and
/// [`ContextError::Shared`] while a [`Context`] of it is held.
///
/// # Panics
/// When `change` asks for a context itself.
pub fn update<C: Send + Sync + 'static, R>(
    change: impl FnOnce(&mut C) -> R,
) -> Result<R, ContextError> {
    STACK.with_borrow_mut(|stack| {
        let found = stack
            .iter_mut()
            .rev()
            .find(|context| (***context).is::<C>());
        let context = found.ok_or(ContextError::Missing(type_name::<C>()))?;
        let context = Arc::get_mut(context).ok_or(ContextError::Shared(type_name::<C>()))?;
        match context.downcast_mut() {
            Some(context) => Ok(change(context)),
            None => Err(ContextError::Missing(type_name::<C>())),
        }
    })
}

/// Why a context cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextError {
    /// No layer for the type named is above, or this is another task.
    Missing(&'static str),
    /// The context of the type named is held by a [`Context`] and cannot change.
    Shared(&'static str),
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(
                f,
                "no ContextLayer for {name} is above this service in this task"
            ),
            Self::Shared(name) => write!(f, "the context {name} is being read and cannot change"),
        }
    }
}

impl std::error::Error for ContextError {}

impl<C> Deref for Context<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C> Clone for Context<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: fmt::Debug> fmt::Debug for Context<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.0).finish()
    }
}
