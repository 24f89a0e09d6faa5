//! The constraints of the application's own that a router's patterns may name.

use std::{fmt, sync::Arc};

use crate::{ConstraintError, TrieBuilder};

/// Whether a constraint takes a parameter's text.
pub(crate) type Accept = dyn Fn(&str) -> bool + Send + Sync;

/// Constraints by name.
#[derive(Clone, Default)]
pub(crate) struct Constraints(pub(crate) Vec<(String, Arc<Accept>)>);

impl Constraints {
    /// Makes them usable in a trie that knows none yet.
    pub(crate) fn add_to<T>(&self, trie: &mut TrieBuilder<T>) {
        for (name, accept) in &self.0 {
            register(trie, name, accept).expect("another trie took the same names");
        }
    }
}

impl fmt::Debug for Constraints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// Makes one usable.
pub(crate) fn register<T>(
    trie: &mut TrieBuilder<T>,
    name: &str,
    accept: &Arc<Accept>,
) -> Result<(), ConstraintError> {
    let accept = Arc::clone(accept);
    trie.constraint(name, move |text| accept(text))
}
