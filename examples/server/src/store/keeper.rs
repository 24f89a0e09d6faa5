//! What keeps rows beyond the process: the trait, and the embedded database behind it.
//!
//! Another database is another implementation of [`Keeper`]; the rest of the server does not know which.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{error, fmt, thread};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use crate::shutdown::Shutdown;

/// One row as it is now: written, or gone.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) table: &'static str,
    pub(crate) id: u64,
    /// `None` when the row was removed.
    pub(crate) row: Option<Vec<u8>>,
    /// The highest id that the table has given out.
    pub(crate) last_id: u64,
}

/// Takes one row, or one table's last id, out of what was saved.
pub(crate) trait Restore {
    fn row(&mut self, table: &str, id: u64, row: &[u8]) -> Result<(), KeeperError>;
    fn last_id(&mut self, table: &str, last_id: u64);
}

/// A place that keeps rows.
pub(crate) trait Keeper: Send + 'static {
    /// Hands over everything that was saved.
    fn load(&mut self, into: &mut dyn Restore) -> Result<(), KeeperError>;

    /// Saves all changes or none, in order. When it returns they survive a power failure.
    fn save(&mut self, changes: &[Change]) -> Result<(), KeeperError>;
}

/// Why rows cannot be kept or read back.
#[derive(Debug, Clone)]
pub(crate) struct KeeperError(String);

impl KeeperError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        KeeperError(message.into())
    }
}

impl fmt::Display for KeeperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for KeeperError {}

const ROWS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("rows");
const LAST_IDS: TableDefinition<'_, &str, u64> = TableDefinition::new("last-ids");

/// Rows in a file of redb, whose transactions are synced to the disk.
#[derive(Debug)]
pub(crate) struct RedbKeeper {
    database: Database,
}

impl RedbKeeper {
    /// Opens or creates the file. While another process has it, waits for so long, unless shutdown is asked for: after a restart
    /// the process before may still be finishing its requests.
    pub(crate) fn open(
        path: &Path,
        patience: Duration,
        shutdown: &Shutdown,
    ) -> Result<Self, KeeperError> {
        let deadline = Instant::now() + patience;
        loop {
            match Database::create(path) {
                Ok(database) => return Ok(RedbKeeper { database }),
                Err(DatabaseError::DatabaseAlreadyOpen)
                    if Instant::now() < deadline && !shutdown.is_asked() =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(DatabaseError::DatabaseAlreadyOpen) => {
                    return Err(KeeperError::new(format!(
                        "{} is in use by another process; stop it, or choose another folder",
                        path.display()
                    )));
                }
                Err(error) => {
                    return Err(KeeperError::new(format!(
                        "cannot open {}: {error}",
                        path.display()
                    )));
                }
            }
        }
    }
}

impl Keeper for RedbKeeper {
    fn load(&mut self, into: &mut dyn Restore) -> Result<(), KeeperError> {
        load(&self.database, into)
            .map_err(|error| KeeperError::new(format!("cannot read the database: {error}")))?
    }

    fn save(&mut self, changes: &[Change]) -> Result<(), KeeperError> {
        save(&self.database, changes)
            .map_err(|error| KeeperError::new(format!("cannot write the database: {error}")))
    }
}

/// The outer error is the database's, the inner one that of what it held.
fn load(
    database: &Database,
    into: &mut dyn Restore,
) -> Result<Result<(), KeeperError>, redb::Error> {
    // A database just created has no tables yet.
    let transaction = database.begin_write()?;
    transaction.open_table(ROWS)?;
    transaction.open_table(LAST_IDS)?;
    transaction.commit()?;

    let transaction = database.begin_read()?;
    for entry in transaction.open_table(LAST_IDS)?.iter()? {
        let (table, last_id) = entry?;
        into.last_id(table.value(), last_id.value());
    }
    for entry in transaction.open_table(ROWS)?.iter()? {
        let (key, row) = entry?;
        let (table, id) = key.value();
        if let Err(error) = into.row(table, id, row.value()) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn save(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut rows = transaction.open_table(ROWS)?;
        let mut last_ids = transaction.open_table(LAST_IDS)?;
        for change in changes {
            match &change.row {
                Some(row) => rows.insert((change.table, change.id), row.as_slice())?,
                None => rows.remove((change.table, change.id))?,
            };
            last_ids.insert(change.table, change.last_id)?;
        }
    }
    transaction.commit()?;
    Ok(())
}
