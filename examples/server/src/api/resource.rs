//! What a table must say about itself to be served by the handlers of [`super::crud`].

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{Fault, Problem};
use crate::store::{Shop, Table};

/// A kind of thing that clients create, read, update and delete.
pub(super) trait Resource:
    Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// "book", for messages.
    const SINGULAR: &'static str;
    /// "books", the collection's path segment.
    const PLURAL: &'static str;
    /// The query parameters that narrow a list, beside `limit` and `offset`.
    const FILTERS: &'static [&'static str];

    fn table(shop: &Shop) -> &Table<Self>;
    fn table_mut(shop: &mut Shop) -> &mut Table<Self>;

    /// What is wrong with these fields as they would stand in the shop; `id` is the row they would replace.
    fn check(&self, shop: &Shop, id: Option<u64>) -> Vec<Fault>;

    /// Whether a row passes one of [`FILTERS`](Self::FILTERS).
    fn passes(&self, filter: &str, value: &str) -> bool;

    /// Refuses to remove what others still point to.
    fn may_remove(shop: &Shop, id: u64) -> Result<(), Problem>;

    /// Removes what is nothing without the row that has just been removed.
    fn removed(_shop: &mut Shop, _id: u64) {}
}

/// A fault unless the text has 1 to `most` characters and is not all space.
pub(super) fn check_text(faults: &mut Vec<Fault>, field: &str, text: &str, most: usize) {
    if text.trim().is_empty() {
        faults.push(Fault::new(field, "must not be empty"));
    } else if text.chars().count() > most {
        faults.push(Fault::new(
            field,
            format!("must have at most {most} characters"),
        ));
    }
}

/// Whether `text` contains `part`, upper and lower case alike.
pub(super) fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}
