//! What each kind of database does for a copy.

use async_trait::async_trait;
use tokio::sync::mpsc::{Receiver, Sender};

use super::batch::Batch;
use super::catalog::{Catalog, Table};
use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;

/// Batches that wait between reading and writing.
pub(crate) const BATCHES_BETWEEN: usize = 4;

/// What begun copies leave in their target, and what it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

impl Fingerprint {
    /// In hexadecimal.
    pub(crate) fn text(self) -> String {
        super::digest::hexadecimal(&self.0)
    }
}

/// A database that is read: a source at one moment, or a target while it alone is written by the copy.
#[async_trait]
pub(crate) trait ReadSide: Send {
    /// The tables.
    async fn catalog(&mut self) -> Result<Catalog>;

    /// How many rows a table has.
    async fn count(&mut self, table: &Table) -> Result<u64>;

    /// Sends the rows behind the row `after` (its key columns, encoded as a row), in the order of the key, until there
    /// are no more or nobody receives.
    async fn read(&mut self, table: &Table, after: Option<Vec<u8>>, batches: Sender<Batch>) -> Result<()>;

    /// The highest number that the identity column of the table has given or was given; 0 if none.
    async fn identity_position(&mut self, table: &Table) -> Result<i64>;
}

/// A database that is written.
#[async_trait]
pub(crate) trait WriteSide: ReadSide {
    /// Whether a table has rows.
    async fn has_rows(&mut self, table: &Table) -> Result<bool>;

    /// The mark of a copy that was begun and not finished.
    async fn unfinished(&mut self) -> Result<Option<String>>;

    /// Leaves the mark.
    async fn begin(&mut self, source: Fingerprint) -> Result<()>;

    /// The key of the last row of the table, encoded as a row.
    async fn last_key(&mut self, table: &Table) -> Result<Option<Vec<u8>>>;

    /// Writes batches, each whole or not at all, until no more come; `written` is told of the rows of each.
    async fn write(
        &mut self,
        table: &Table,
        batches: Receiver<Batch>,
        written: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()>;

    /// Has the identity column of the table go on behind `position`.
    async fn set_identity_position(&mut self, table: &Table, position: i64) -> Result<()>;

    /// Makes everything durable and removes the mark.
    async fn finish(&mut self, tables: &[Table]) -> Result<()>;
}
