//! All tables from one database to another, whatever kind each is; backups and restores stand on it.
//!
//! Rows go table by table, what is referred to first, in the order of their primary keys and in batches that are
//! written whole or not at all. So the last key that is in the target says where a copy that was killed goes on. Which
//! tables and columns there are is what the databases say; see `catalog.rs` for what stays behind. At the end both
//! sides are read again and compared by count and hash.

mod backup;
pub(crate) mod batch;
pub(crate) mod catalog;
pub(crate) mod digest;
mod restore;
#[cfg(test)]
mod schema_tests;
pub(crate) mod side;

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::channel;

pub use self::backup::backup;
use self::catalog::{Catalog, Table};
pub use self::digest::TableDigest;
use self::digest::{digest, hexadecimal};
pub use self::restore::restore;
use self::side::{BATCHES_BETWEEN, Fingerprint, ReadSide, WriteSide};
use crate::StorageError;
use crate::postgres::PostgresSettings;
use crate::postgres::copying::PostgresSide;
use crate::sqlite::copying::SqliteSide;

type Result<T> = std::result::Result<T, StorageError>;

/// A database that is copied from or to.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresSettings),
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// So many rows are in the source.
    Begun {
        /// In all tables.
        rows: u64,
    },
    /// So many more rows of this table are in the target, now or since an attempt before.
    Written {
        /// Its name.
        table: &'a str,
        /// Since the last of these.
        rows: u64,
    },
    /// Both sides are read again to compare this table.
    Comparing {
        /// Its name.
        table: &'a str,
    },
}

/// Who is told of it.
pub type Watch<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// A table on both sides after a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: String,
    /// What the source holds.
    pub source: TableDigest,
    /// What the target holds.
    pub target: TableDigest,
}

impl CopiedTable {
    /// Whether both hold the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }

    /// The hash of what the target holds, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hexadecimal(&self.target.sha256)
    }
}

/// Copies everything from one database into another that is empty, or goes on with a copy that was begun and killed.
/// The target gets this program's schema first; the source must have it.
///
/// An embedded source is locked against being served meanwhile. A server is read as it is when the copy begins; what is
/// written to it later is not copied. Nobody is to write to the target: until the copy is finished it cannot be opened.
///
/// The tables are compared at the end. If some are not [equal](CopiedTable::is_equal) the target stays marked as
/// unfinished.
///
/// # Errors
/// [`StorageError::CannotCopy`] if the target holds something else, another copy writes into it, or the source holds
/// what the target cannot keep; [`StorageError::Unusable`] and [`StorageError::Unavailable`] as when opening.
pub async fn copy(from: &Endpoint, to: &Endpoint, watch: Watch<'_>) -> Result<Vec<CopiedTable>> {
    refuse_itself(from, to)?;
    let mut source = source(from).await?;
    let mut target: Box<dyn WriteSide> = match to {
        Endpoint::Sqlite(path) => Box::new(SqliteSide::target(path)?),
        Endpoint::Postgres(settings) => Box::new(PostgresSide::target(settings).await?),
    };
    transfer(source.as_mut(), target.as_mut(), watch).await
}

async fn source(from: &Endpoint) -> Result<Box<dyn ReadSide>> {
    Ok(match from {
        Endpoint::Sqlite(path) => Box::new(SqliteSide::source(path, true)?),
        Endpoint::Postgres(settings) => Box::new(PostgresSide::source(settings).await?),
    })
}

fn refuse_itself(from: &Endpoint, to: &Endpoint) -> Result<()> {
    if let (Endpoint::Sqlite(from), Endpoint::Sqlite(to)) = (from, to)
        && let (Ok(from), Ok(to)) = (from.canonicalize(), to.canonicalize())
        && from == to
    {
        let reason = format!("{} is both the source and the target", from.display());
        return Err(StorageError::CannotCopy { reason });
    }
    Ok(())
}

/// What [`copy`] does with opened sides.
async fn transfer(source: &mut dyn ReadSide, target: &mut dyn WriteSide, watch: Watch<'_>) -> Result<Vec<CopiedTable>> {
    let catalog = source.catalog().await?;
    let tables = catalog::plan(&catalog, &target.catalog().await?)?;
    let fingerprint = fingerprint(source, &catalog).await?;
    begin(target, &tables, fingerprint).await?;
    let mut rows = 0;
    for table in &tables {
        rows += source.count(table).await?;
    }
    watch(Progress::Begun { rows });
    for table in &tables {
        let written = |rows| watch(Progress::Written { table: &table.name, rows });
        let after = target.last_key(table).await?;
        if after.is_some() {
            written(target.count(table).await?);
        }
        let (sender, batches) = channel(BATCHES_BETWEEN);
        let (read, wrote) = tokio::join!(source.read(table, after, sender), target.write(table, batches, &written));
        read.and(wrote)?;
    }
    for table in tables.iter().filter(|table| table.identity.is_some()) {
        let position = source.identity_position(table).await?;
        if position > 0 {
            target.set_identity_position(table, position).await?;
        }
    }
    let mut copied = Vec::with_capacity(tables.len());
    for table in &tables {
        watch(Progress::Comparing { table: &table.name });
        let (here, there) = tokio::join!(digest(source, table), digest(&mut *target, table));
        copied.push(CopiedTable { name: table.name.clone(), source: here?, target: there? });
    }
    if copied.iter().all(CopiedTable::is_equal) {
        target.finish(&tables).await?;
    }
    Ok(copied)
}

/// Marks an empty target, or finds that it holds the beginning of the same copy.
async fn begin(target: &mut dyn WriteSide, tables: &[Table], source: Fingerprint) -> Result<()> {
    match target.unfinished().await? {
        Some(mark) if mark == source.text() => return Ok(()),
        Some(_) => {
            let reason = "the target holds a copy that was begun from another source, or from this one before it was \
                          written to again: begin anew with an empty database";
            return Err(StorageError::CannotCopy { reason: reason.to_owned() });
        }
        None => {}
    }
    for table in tables {
        if target.has_rows(table).await? {
            let reason = format!(
                "the target is not empty: its table {} has rows; a copy needs a database that nothing was written to",
                table.name
            );
            return Err(StorageError::CannotCopy { reason });
        }
    }
    target.begin(source).await
}

/// Tells sources apart, and a source from itself before it was written to: every database makes secrets of its own, and
/// everything that is written to an account raises the account's version.
async fn fingerprint(source: &mut dyn ReadSide, catalog: &Catalog) -> Result<Fingerprint> {
    let mut hash = Sha256::new();
    for name in ["account", "setting"] {
        if let Some(table) = catalog.get(name) {
            hash.update(digest(source, table).await?.sha256);
        }
    }
    Ok(Fingerprint(hash.finalize().into()))
}
