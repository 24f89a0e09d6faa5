//! Rows by id, each with the revision that its `ETag` shows, and which of them are not saved yet.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keeper::{Change, KeeperError};

/// The most rows a table takes: memory stays bounded whoever posts.
pub(crate) const CAPACITY: usize = 10_000;

/// One row: its id, how often it has been written, and its fields.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row<T> {
    pub(crate) id: u64,
    pub(crate) revision: u64,
    #[serde(flatten)]
    pub(crate) fields: T,
}

/// The table holds [`CAPACITY`] rows already.
#[derive(Debug)]
pub(crate) struct Full;

/// A row as it is saved; its id is the key.
#[derive(Serialize, Deserialize)]
struct Saved<F> {
    revision: u64,
    fields: F,
}

/// Rows in order of id. Ids start at 1 and are never used again.
#[derive(Debug)]
pub(crate) struct Table<T> {
    name: &'static str,
    rows: BTreeMap<u64, Row<T>>,
    last_id: u64,
    /// Ids written or removed since [`take_changes`](Self::take_changes).
    touched: Vec<u64>,
}

impl<T> Table<T> {
    /// An empty table; the name is what it is saved under.
    pub(crate) fn named(name: &'static str) -> Self {
        Table {
            name,
            rows: BTreeMap::new(),
            last_id: 0,
            touched: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, fields: T) -> Result<&Row<T>, Full> {
        if self.rows.len() >= CAPACITY {
            return Err(Full);
        }
        self.last_id += 1;
        let id = self.last_id;
        self.touched.push(id);
        Ok(self.rows.entry(id).or_insert(Row {
            id,
            revision: 1,
            fields,
        }))
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Row<T>> {
        self.rows.get(&id)
    }

    /// Replaces the fields of a row and counts its revision up.
    pub(crate) fn replace(&mut self, id: u64, fields: T) -> Option<&Row<T>> {
        self.update(id, |old| *old = fields)
    }

    /// Changes the fields of a row in place and counts its revision up.
    pub(crate) fn update(&mut self, id: u64, change: impl FnOnce(&mut T)) -> Option<&Row<T>> {
        let row = self.rows.get_mut(&id)?;
        change(&mut row.fields);
        row.revision += 1;
        self.touched.push(id);
        Some(row)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Row<T>> {
        self.touched.push(id);
        self.rows.remove(&id)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let touched = &mut self.touched;
        self.rows.retain(|id, row| {
            let stays = keep(&row.fields);
            if !stays {
                touched.push(*id);
            }
            stays
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row<T>> {
        self.rows.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// What saving and loading need of a table, whatever its rows are.
pub(super) trait AnyTable {
    fn name(&self) -> &'static str;
    /// Appends what happened since the last call.
    fn take_changes(&mut self, changes: &mut Vec<Change>);
    /// Puts back a row that was saved.
    fn restore(&mut self, id: u64, row: &[u8]) -> Result<(), KeeperError>;
    /// Ids up to this one have been given out.
    fn restore_last_id(&mut self, last_id: u64);
}

impl<T: Serialize + DeserializeOwned> AnyTable for Table<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn take_changes(&mut self, changes: &mut Vec<Change>) {
        for id in self.touched.drain(..) {
            let row = self.rows.get(&id).map(|row| {
                let saved = Saved {
                    revision: row.revision,
                    fields: &row.fields,
                };
                serde_json::to_vec(&saved).expect("a row is plain data")
            });
            changes.push(Change {
                table: self.name,
                id,
                row,
                last_id: self.last_id,
            });
        }
    }

    fn restore(&mut self, id: u64, row: &[u8]) -> Result<(), KeeperError> {
        let Saved { revision, fields } = serde_json::from_slice(row).map_err(|error| {
            KeeperError::new(format!("row {id} of {} cannot be read: {error}", self.name))
        })?;
        let row = Row {
            id,
            revision,
            fields,
        };
        self.rows.insert(id, row);
        self.restore_last_id(id);
        Ok(())
    }

    fn restore_last_id(&mut self, last_id: u64) {
        self.last_id = self.last_id.max(last_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_not_used_again_and_revisions_count_writes() {
        let mut table = Table::named("things");
        let first = table.insert("a").unwrap().id;
        table.remove(first);
        let second = table.insert("b").unwrap().id;
        assert_eq!((first, second), (1, 2));
        assert_eq!(
            table
                .replace(second, "c")
                .map(|row| (row.revision, row.fields)),
            Some((2, "c"))
        );
        assert!(table.replace(first, "d").is_none());
    }

    #[test]
    fn what_was_saved_is_restored_and_removed_ids_stay_used() {
        let mut table = Table::named("things");
        for text in ["a", "b", "c"] {
            table.insert(text.to_owned()).unwrap();
        }
        table.replace(2, "B".to_owned());
        table.remove(3);
        let mut changes = Vec::new();
        table.take_changes(&mut changes);
        let mut again = Table::<String>::named("things");
        for change in &changes {
            again.restore_last_id(change.last_id);
            if let Some(row) = &change.row {
                again.restore(change.id, row).unwrap();
            }
        }
        let rows: Vec<_> = again
            .iter()
            .map(|row| (row.id, row.revision, row.fields.as_str()))
            .collect();
        assert_eq!(rows, [(1, 1, "a"), (2, 2, "B")]);
        assert_eq!(again.insert("d".to_owned()).unwrap().id, 4);
        changes.clear();
        table.take_changes(&mut changes);
        assert!(changes.is_empty(), "{changes:?}");
    }

    #[test]
    fn a_full_table_refuses() {
        let mut table = Table::named("things");
        for number in 0..CAPACITY {
            assert!(table.insert(number).is_ok(), "row {number}");
        }
        assert!(table.insert(CAPACITY).is_err());
        assert_eq!(table.len(), CAPACITY);
    }
}
