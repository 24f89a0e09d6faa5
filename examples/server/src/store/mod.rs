//! The shop: tables in memory behind one lock, and a journal that keeps them on a disk.
//!
//! [`Store::read`] and [`Store::write`] lend the shop to a closure, so the lock cannot be held across an
//! await; every closure is short (the longest copies one page of rows). A panic inside a closure would
//! poison the lock; rows are replaced whole, so the shop behind it is still consistent and is used on.
//!
//! Reads see a write as soon as it has been made; whoever made it is answered when it is on the disk. So
//! what has been acknowledged survives the process, however it ends.

mod journal;
mod keeper;
mod model;
mod seed;
mod table;

use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use std::{fs, io};

use self::journal::Journal;
pub(crate) use self::keeper::KeeperError;
use self::keeper::{Keeper, RedbKeeper, Restore};
pub(crate) use self::model::{Author, Book, Customer, Genre, Line, Order, Review, Status};
use self::table::AnyTable;
pub(crate) use self::table::{Full, Row, Table};
use crate::shutdown::Shutdown;

/// Every table of the shop.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) authors: Table<Author>,
    pub(crate) books: Table<Book>,
    pub(crate) reviews: Table<Review>,
    pub(crate) customers: Table<Customer>,
    pub(crate) orders: Table<Order>,
}

impl Shop {
    fn empty() -> Self {
        Shop {
            authors: Table::named("authors"),
            books: Table::named("books"),
            reviews: Table::named("reviews"),
            customers: Table::named("customers"),
            orders: Table::named("orders"),
        }
    }

    fn tables(&mut self) -> [&mut dyn AnyTable; 5] {
        [
            &mut self.authors,
            &mut self.books,
            &mut self.reviews,
            &mut self.customers,
            &mut self.orders,
        ]
    }

    fn table(&mut self, name: &str) -> Option<&mut dyn AnyTable> {
        self.tables().into_iter().find(|table| table.name() == name)
    }

    fn take_changes(&mut self) -> Vec<keeper::Change> {
        let mut changes = Vec::new();
        for table in self.tables() {
            table.take_changes(&mut changes);
        }
        changes
    }

    /// Whether nothing was ever put into any table.
    fn is_new(&self) -> bool {
        self.authors.len() + self.books.len() + self.customers.len() + self.orders.len() == 0
    }
}

impl Restore for Shop {
    fn row(&mut self, table: &str, id: u64, row: &[u8]) -> Result<(), KeeperError> {
        match self.table(table) {
            Some(table) => table.restore(id, row),
            None => Err(KeeperError::new(format!("there is no table {table:?}"))),
        }
    }

    fn last_id(&mut self, table: &str, last_id: u64) {
        if let Some(table) = self.table(table) {
            table.restore_last_id(last_id);
        }
    }
}

/// The shop, shared by all requests.
#[derive(Debug)]
pub(crate) struct Store {
    shop: RwLock<Shop>,
    /// `None` when the shop ends with the process.
    journal: Option<Journal>,
}

impl Store {
    /// A shop that ends with the process.
    pub(crate) fn in_memory() -> Self {
        Store {
            shop: RwLock::new(Shop::empty()),
            journal: None,
        }
    }

    /// The shop that is kept in a folder.
    ///
    /// # Errors
    /// When the folder cannot be made or read, or another process has it after `patience`, or when shutdown is asked for.
    pub(crate) fn in_folder(
        folder: &Path,
        patience: Duration,
        shutdown: &Shutdown,
    ) -> Result<Self, KeeperError> {
        fs::create_dir_all(folder).map_err(|error| {
            KeeperError::new(format!("cannot make {}: {error}", folder.display()))
        })?;
        let mut keeper = RedbKeeper::open(&folder.join("shop.redb"), patience, shutdown)?;
        let mut shop = Shop::empty();
        keeper.load(&mut shop)?;
        let thread = |error: io::Error| KeeperError::new(format!("cannot start a thread: {error}"));
        Ok(Store {
            shop: RwLock::new(shop),
            journal: Some(Journal::start(keeper).map_err(thread)?),
        })
    }

    /// Puts a few rows into every table, unless there is something already.
    pub(crate) fn fill_if_new(&self) -> Result<(), KeeperError> {
        let mut shop = self.shop.write().unwrap_or_else(PoisonError::into_inner);
        if !shop.is_new() {
            return Ok(());
        }
        seed::fill(&mut shop);
        let changes = shop.take_changes();
        match &self.journal {
            Some(journal) => journal
                .save(changes)
                .blocking_recv()
                .unwrap_or_else(|_| ended()),
            None => Ok(()),
        }
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&Shop) -> R) -> R {
        look(&self.shop.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the shop, and returns when the change is kept.
    ///
    /// # Cancellation
    /// The change is made by the first poll and kept even if the future is then dropped.
    pub(crate) async fn write<R, E: From<KeeperError>>(
        &self,
        change: impl FnOnce(&mut Shop) -> Result<R, E>,
    ) -> Result<R, E> {
        let (result, saved) = {
            let mut shop = self.shop.write().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut shop);
            // Taken in any case, so that a closure that fails half-way leaves disk and memory alike.
            let changes = shop.take_changes();
            // Handed over under the lock, so that the disk sees the order that memory saw.
            let saved = match &self.journal {
                Some(journal) if !changes.is_empty() => Some(journal.save(changes)),
                _ => None,
            };
            (result, saved)
        };
        if let Some(saved) = saved {
            saved.await.unwrap_or_else(|_| ended())?;
        }
        result
    }

    /// Batches of changes saved since the start; `None` in memory.
    pub(crate) fn saved_batches(&self) -> Option<u64> {
        self.journal.as_ref().map(Journal::batches)
    }
}

fn ended() -> Result<(), KeeperError> {
    Err(KeeperError::new("the thread that saves changes has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(store: &Store) -> Vec<String> {
        store.read(|shop| {
            shop.authors
                .iter()
                .map(|row| row.fields.name.clone())
                .collect()
        })
    }

    fn open(folder: &Path) -> Result<Store, KeeperError> {
        Store::in_folder(folder, Duration::ZERO, &Shutdown::by_hand())
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let author = |name: &str| Author {
            name: name.to_owned(),
            born: None,
        };
        let store = open(folder.path()).unwrap();
        for name in ["Ada", "Grace", "Emmy"] {
            let insert = |shop: &mut Shop| {
                shop.authors
                    .insert(author(name))
                    .map(|row| row.id)
                    .map_err(|Full| KeeperError::new("full"))
            };
            store.write(insert).await.unwrap();
        }
        let remove = |shop: &mut Shop| {
            shop.authors.remove(2);
            Ok::<_, KeeperError>(())
        };
        store.write(remove).await.unwrap();
        let taken = open(folder.path()).unwrap_err();
        assert!(
            taken.to_string().contains("in use by another process"),
            "{taken}"
        );
        drop(store);

        let again = open(folder.path()).unwrap();
        assert_eq!(names(&again), ["Ada", "Emmy"]);
        again.fill_if_new().unwrap();
        assert_eq!(names(&again), ["Ada", "Emmy"], "it was not new");
    }
}
