//! The embedded database as a side of a copy.

mod catalog;
mod file;
mod statement;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use diesel::connection::{LoadConnection, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use tokio::sync::mpsc::{Receiver, Sender};

pub(crate) use self::file::{check_backup, complete, copy_file, hold_empty, migrate_file, remove_file, remove_log};
use self::statement::{Statement, push_row};
use super::connection::{self, Access};
use super::{Result, SqliteSettings, SqliteStorage};
use crate::StorageError;
use crate::copy::batch::{Batch, Cell, append_cells, cells};
use crate::copy::catalog::{Catalog, Column, Table, quoted};
use crate::copy::side::{Fingerprint, ReadSide, WriteSide};
use crate::migrations::UNFINISHED_COPY;

/// Rows of one statement.
const ROWS_AT_ONCE: usize = 64;
/// Values of one statement, which SQLite bounds.
const VALUES_AT_ONCE: usize = 32_766;
/// Pages in memory, so that indexes of large tables are not read again and again; and pages that wait in the
/// write-ahead log before they are sorted into the file.
const COPY_PRAGMAS: &str = "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384;";

/// A file that is read or written by a copy, on threads that may wait.
pub(crate) struct SqliteSide {
    /// None while a thread has it, which goes on to the end of its work if nobody waits any more.
    held: Option<Held>,
}

struct Held {
    connection: SqliteConnection,
    /// Keeps others from serving the file.
    _service: Option<File>,
}

impl SqliteSide {
    /// Reads the file as it is now, whatever is written to it later. `exclusive`: nobody serves it meanwhile.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if it is not there, is served though it must not, or its schema is not this program's.
    pub(crate) fn source(path: &Path, exclusive: bool) -> Result<Self> {
        connection::must_exist(path)?;
        let service = exclusive.then(|| connection::lock_for_service(path)).transpose()?;
        let mut connection = connection::open_unchanged(path)?;
        connection::check_version(&mut connection)?;
        connection::check_schema(&mut connection)?;
        // A transaction begins to see one state of the file with its first read.
        connection.batch_execute(&format!("{COPY_PRAGMAS} BEGIN; SELECT 1 FROM sqlite_schema;"))?;
        Ok(Self { held: Some(Held { connection, _service: service }) })
    }

    /// Makes the file with this program's schema if it is not there.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if it is served or its schema is newer than this program.
    pub(crate) fn target(path: &Path) -> Result<Self> {
        SqliteStorage::migrate(&SqliteSettings::new(path))?;
        let service = connection::lock_for_service(path)?;
        let mut connection = connection::open(path, Access::Write)?;
        connection.batch_execute(COPY_PRAGMAS)?;
        Ok(Self { held: Some(Held { connection, _service: Some(service) }) })
    }

    async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lost = |source| StorageError::Internal { context: "a thread of the copy", source };
        let mut held = self.held.take().ok_or_else(|| lost(None))?;
        let worked = tokio::task::spawn_blocking(move || {
            let result = work(&mut held.connection);
            (held, result)
        });
        let (held, result) = worked.await.map_err(|error| lost(Some(Box::new(error))))?;
        self.held = Some(held);
        result
    }
}

#[async_trait]
impl ReadSide for SqliteSide {
    async fn catalog(&mut self) -> Result<Catalog> {
        self.run(catalog::read).await
    }

    async fn count(&mut self, table: &Table) -> Result<u64> {
        let count = format!("(SELECT COUNT(*) FROM {})", quoted(&table.name));
        self.run(move |connection| {
            let count: i64 = diesel::select(diesel::dsl::sql::<BigInt>(&count)).get_result(connection)?;
            Ok(count.unsigned_abs())
        })
        .await
    }

    async fn read(&mut self, table: &Table, after: Option<Vec<u8>>, batches: Sender<Batch>) -> Result<()> {
        let table = table.clone();
        self.run(move |connection| read(connection, &table, after.as_deref(), &batches)).await
    }

    async fn identity_position(&mut self, table: &Table) -> Result<i64> {
        let name = table.name.clone();
        self.run(move |connection| {
            let position = diesel::select(
                diesel::dsl::sql::<Nullable<BigInt>>("(SELECT MAX(seq) FROM sqlite_sequence WHERE name = ")
                    .bind::<Text, _>(name)
                    .sql(")"),
            );
            Ok(position.get_result::<Option<i64>>(connection)?.unwrap_or(0))
        })
        .await
    }
}

#[async_trait]
impl WriteSide for SqliteSide {
    async fn has_rows(&mut self, table: &Table) -> Result<bool> {
        let exists = format!("EXISTS (SELECT 1 FROM {})", quoted(&table.name));
        self.run(move |connection| Ok(diesel::select(diesel::dsl::sql::<Bool>(&exists)).get_result(connection)?)).await
    }

    async fn unfinished(&mut self) -> Result<Option<String>> {
        self.run(connection::unfinished_copy).await
    }

    async fn begin(&mut self, source: Fingerprint) -> Result<()> {
        let source = source.text();
        let mark = format!(
            "BEGIN IMMEDIATE; CREATE TABLE {UNFINISHED_COPY} (source TEXT NOT NULL); \
             INSERT INTO {UNFINISHED_COPY} (source) VALUES ('{source}'); COMMIT;"
        );
        self.run(move |connection| Ok(connection.batch_execute(&mark)?)).await
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Vec<u8>>> {
        let table = table.clone();
        self.run(move |connection| {
            let columns: Vec<&Column> = table.key_columns().collect();
            let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
            let sql = format!(
                "SELECT {} FROM {} ORDER BY {} DESC LIMIT 1",
                names.join(", "),
                quoted(&table.name),
                names.join(" DESC, ")
            );
            let mut batch = Batch::default();
            let mut rows = LoadConnection::load(connection, Statement { sql: &sql, values: &[] })?;
            if let Some(row) = rows.next() {
                push_row(&mut batch, &row?, &table, &columns)?;
            }
            Ok((batch.rows() > 0).then(|| batch.into_bytes()))
        })
        .await
    }

    async fn write(
        &mut self,
        table: &Table,
        mut batches: Receiver<Batch>,
        written: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()> {
        let table = Arc::new(table.clone());
        while let Some(batch) = batches.recv().await {
            let (table, rows) = (Arc::clone(&table), batch.rows());
            self.run(move |connection| write(connection, &table, &batch)).await?;
            written(rows as u64);
        }
        Ok(())
    }

    async fn set_identity_position(&mut self, table: &Table, position: i64) -> Result<()> {
        let name = table.name.clone();
        self.run(move |connection| {
            connection.immediate_transaction(|connection| {
                // The list has no key by which a row could be replaced.
                diesel::sql_query("DELETE FROM sqlite_sequence WHERE name = ?")
                    .bind::<Text, _>(&name)
                    .execute(connection)?;
                diesel::sql_query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)")
                    .bind::<Text, _>(&name)
                    .bind::<BigInt, _>(position)
                    .execute(connection)?;
                Ok(())
            })
        })
        .await
    }

    async fn finish(&mut self, _: &[Table]) -> Result<()> {
        let statements = format!("DROP TABLE {UNFINISHED_COPY}; PRAGMA wal_checkpoint(TRUNCATE);");
        self.run(move |connection| Ok(connection.batch_execute(&statements)?)).await
    }
}

fn read(connection: &mut SqliteConnection, table: &Table, after: Option<&[u8]>, batches: &Sender<Batch>) -> Result<()> {
    let columns: Vec<&Column> = table.columns.iter().collect();
    let key: Vec<&Column> = table.key_columns().collect();
    let names = key.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
    let values = after.map(|after| cells(after, &key)).transpose()?;
    let places = values.as_ref().map(|values| vec!["?"; values.len()].join(", "));
    let behind = places.map_or_else(String::new, |places| format!("WHERE ({names}) > ({places}) "));
    let sql = format!("SELECT {} FROM {} {behind}ORDER BY {names}", table.column_list(), quoted(&table.name));
    let values = values.unwrap_or_default();
    let mut batch = Batch::default();
    for row in LoadConnection::load(connection, Statement { sql: &sql, values: &values })? {
        push_row(&mut batch, &row?, table, &columns)?;
        if batch.is_full() && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(());
        }
    }
    if batch.rows() > 0 {
        // Whoever does not receive any more has an error of its own to tell.
        let _ = batches.blocking_send(batch);
    }
    Ok(())
}

fn write(connection: &mut SqliteConnection, table: &Table, batch: &Batch) -> Result<()> {
    let mut values = Vec::with_capacity(batch.rows() * table.columns.len());
    for row in batch.iter() {
        append_cells(row, &table.columns, &mut values)?;
    }
    let fields = table.columns.len().max(1);
    if let Some(at) = values.iter().position(|value| matches!(value, Cell::Double(value) if value.is_nan())) {
        let column = &table.columns[at % fields].name;
        let reason = format!("{}.{column} holds NaN, which SQLite can only keep as NULL", table.name);
        return Err(StorageError::CannotCopy { reason });
    }
    let at_once = ROWS_AT_ONCE.min(VALUES_AT_ONCE / fields).max(1);
    let row = format!("({})", vec!["?"; fields].join(", "));
    let insert = |rows: usize| {
        let rows = vec![row.as_str(); rows].join(", ");
        format!("INSERT INTO {} ({}) VALUES {rows}", quoted(&table.name), table.column_list())
    };
    let (many, one) = (insert(at_once), insert(1));
    connection.immediate_transaction(|connection| {
        let chunks = values.chunks_exact(at_once * fields);
        let rest = chunks.remainder();
        let chunks = chunks.map(|values| (many.as_str(), values));
        for (sql, values) in chunks.chain(rest.chunks_exact(fields).map(|values| (one.as_str(), values))) {
            Statement { sql, values }.execute(connection)?;
        }
        Ok(())
    })
}
