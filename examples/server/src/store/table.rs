//! Rows by id, each with the revision that its `ETag` shows.

use std::collections::BTreeMap;

use serde::Serialize;

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

/// Rows in order of id. Ids start at 1 and are never used again.
#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: BTreeMap<u64, Row<T>>,
    last_id: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table {
            rows: BTreeMap::new(),
            last_id: 0,
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn insert(&mut self, fields: T) -> Result<&Row<T>, Full> {
        if self.rows.len() >= CAPACITY {
            return Err(Full);
        }
        self.last_id += 1;
        let id = self.last_id;
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
        Some(row)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Row<T>> {
        self.rows.remove(&id)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.rows.retain(|_, row| keep(&row.fields));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row<T>> {
        self.rows.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_not_used_again_and_revisions_count_writes() {
        let mut table = Table::default();
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
    fn a_full_table_refuses() {
        let mut table = Table::default();
        for number in 0..CAPACITY {
            assert!(table.insert(number).is_ok(), "row {number}");
        }
        assert!(table.insert(CAPACITY).is_err());
        assert_eq!(table.len(), CAPACITY);
    }
}
