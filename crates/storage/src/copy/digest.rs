//! What a table holds, in one number: SHA-256 over its rows in the order of their keys.

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::channel;

use super::batch::Batch;
use super::catalog::Table;
use super::side::{BATCHES_BETWEEN, ReadSide};
use crate::StorageError;

/// Rows and hash of a table. Equal for equal contents, whatever database holds them: the hash covers the names of the
/// table and of its columns, and each row in the form of `batch.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableDigest {
    /// How many.
    pub rows: u64,
    /// Of all of them.
    pub sha256: [u8; 32],
}

/// Reads the whole table.
pub(crate) async fn digest(side: &mut dyn ReadSide, table: &Table) -> Result<TableDigest, StorageError> {
    let (sender, mut batches) = channel::<Batch>(BATCHES_BETWEEN);
    let mut hash = Sha256::new();
    for name in std::iter::once(&table.name).chain(table.columns.iter().map(|column| &column.name)) {
        hash.update(name);
        hash.update([0]);
    }
    let hashing = tokio::task::spawn_blocking(move || {
        let mut rows = 0;
        while let Some(batch) = batches.blocking_recv() {
            rows += batch.rows() as u64;
            hash.update(batch.bytes());
        }
        TableDigest { rows, sha256: hash.finalize().into() }
    });
    side.read(table, None, sender).await?;
    hashing.await.map_err(|error| StorageError::Internal { context: "hashing", source: Some(Box::new(error)) })
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, byte| text + &format!("{byte:02x}"))
}
