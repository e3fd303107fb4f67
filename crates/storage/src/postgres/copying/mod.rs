//! PostgreSQL as a side of a copy: rows come and go by `COPY` in its binary form.

mod catalog;
mod query;

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

use super::partition::{self, Month};
use super::{PostgresSettings, PostgresStorage, Result};
use crate::StorageError;
use crate::copy::batch::{Batch, Cell, append_cells, row_length};
use crate::copy::catalog::{Catalog, Table, quoted};
use crate::copy::side::{BATCHES_BETWEEN, Fingerprint, ReadSide, WriteSide};
use crate::migrations::UNFINISHED_COPY;
use crate::repository::Maintenance;

/// Held by the one copy that writes into a database. The server lets go of it when it has noticed that its client is
/// gone, and done the last that this one asked for.
const LOCK: i64 = 0x6173_7472_636f_7079;

const SESSION: [(&str, &str); 7] = [
    ("statement_timeout", "0"),
    ("lock_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "0"),
    ("client_connection_check_interval", "500ms"),
    ("standard_conforming_strings", "on"),
    ("work_mem", "64MB"),
    ("jit", "off"),
];

/// What begins what `COPY` writes: a signature, no flags, no extension.
const HEADER: [u8; 19] = *b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0";
/// What ends it, where a row would begin.
const TRAILER: [u8; 2] = [0xFF, 0xFF];

/// A connection that reads or writes for a copy.
pub(crate) struct PostgresSide {
    client: Client,
    /// Those that are there, as far as this copy has seen.
    partitions: HashSet<(String, Month)>,
}

impl PostgresSide {
    /// Reads the database as it is now, whatever is written to it later.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if its schema is not this program's, [`StorageError::Unavailable`] if it is away.
    pub(crate) async fn source(settings: &PostgresSettings) -> Result<Self> {
        // Refuses what is not to be read.
        PostgresStorage::connect(settings).await?.close().await;
        let client = connect(settings, &SESSION).await?;
        let tables = catalog::read(&client).await?;
        let names = tables.keys().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        // Locked before the first read decides what is seen: a partition that is dropped does not ask who still sees it.
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {names} IN ACCESS SHARE MODE; SELECT 1"
        );
        client.batch_execute(&begin).await.map_err(|error| failed("beginning to read", error))?;
        Ok(Self { client, partitions: HashSet::new() })
    }

    /// Brings the schema up to date, and waits for a copy into the same database that has just been killed.
    ///
    /// # Errors
    /// [`StorageError::CannotCopy`] if another copy writes into it; [`StorageError::Unusable`] if its schema is newer
    /// than this program.
    pub(crate) async fn target(settings: &PostgresSettings) -> Result<Self> {
        PostgresStorage::migrate(settings).await?;
        // Batches are durable in their order, so it is enough that the last commit waits for the disk.
        let client = connect(settings, &[&SESSION[..], &[("synchronous_commit", "off")]].concat()).await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(|error| {
            if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                let reason = "another copy into the target is under way: wait for its end".to_owned();
                return StorageError::CannotCopy { reason };
            }
            failed("waiting for another copy", error)
        })?;
        Ok(Self { client, partitions: HashSet::new() })
    }

    async fn copy_out(&self, query: &str, batches: &Sender<Batch>) -> Result<()> {
        let unread = |error| failed("reading rows", error);
        let statement = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let chunks = self.client.copy_out(&statement).await.map_err(unread)?;
        let mut chunks = std::pin::pin!(chunks);
        let (mut batch, mut pending, mut begun) = (Batch::default(), Vec::new(), false);
        while let Some(chunk) = chunks.try_next().await.map_err(unread)? {
            pending.extend_from_slice(&chunk);
            let mut at = 0;
            if !begun {
                if pending.len() < HEADER.len() {
                    continue;
                }
                if !pending.starts_with(&HEADER) {
                    return Err(StorageError::Internal { context: "an unknown form of COPY", source: None });
                }
                (at, begun) = (HEADER.len(), true);
            }
            while !pending[at..].starts_with(&TRAILER)
                && let Some(length) = row_length(&pending[at..])?
            {
                batch.push_encoded(&pending[at..at + length]);
                at += length;
                if batch.is_full() && batches.send(std::mem::take(&mut batch)).await.is_err() {
                    return Ok(());
                }
            }
            pending.drain(..at);
        }
        if batch.rows() > 0 {
            // Whoever does not receive any more has an error of its own to tell.
            let _ = batches.send(batch).await;
        }
        Ok(())
    }

    /// Makes the partitions that a batch needs.
    async fn make_partitions(&mut self, table: &Table, batch: &Batch) -> Result<()> {
        let Some(position) = table.partitioned_by else { return Ok(()) };
        let mut times = Vec::with_capacity(batch.rows());
        let mut cells = Vec::new();
        for row in batch.iter() {
            cells.clear();
            append_cells(row, &table.columns, &mut cells)?;
            if let Some(Cell::Integer(at)) = cells.get(position) {
                times.push(*at);
            }
        }
        for (month, start, end) in partition::months(times.into_iter())? {
            if self.partitions.contains(&(table.name.clone(), month)) {
                continue;
            }
            let partition = partition::partition_name(&table.name, month);
            let made = async {
                let transaction = self.client.transaction().await?;
                transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&partition::LOCK]).await?;
                let there = transaction.query_one("SELECT to_regclass($1) IS NOT NULL", &[&partition]).await?;
                if !there.try_get::<_, bool>(0)? {
                    let statements = partition::partition_statements(&table.name, &partition, (start, end));
                    transaction.batch_execute(&statements).await?;
                }
                transaction.commit().await
            };
            made.await.map_err(|error| failed("making a partition", error))?;
            self.partitions.insert((table.name.clone(), month));
        }
        Ok(())
    }

    async fn number(&self, context: &'static str, query: &str) -> Result<i64> {
        let row = self.client.query_one(query, &[]).await;
        row.and_then(|row| row.try_get(0)).map_err(|error| failed(context, error))
    }
}

#[async_trait]
impl ReadSide for PostgresSide {
    async fn catalog(&mut self) -> Result<Catalog> {
        catalog::read(&self.client).await
    }

    async fn count(&mut self, table: &Table) -> Result<u64> {
        let count = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
        Ok(self.number("counting rows", &count).await?.unsigned_abs())
    }

    async fn read(&mut self, table: &Table, after: Option<Vec<u8>>, batches: Sender<Batch>) -> Result<()> {
        self.copy_out(&query::rows(table, after.as_deref())?, &batches).await
    }

    async fn identity_position(&mut self, table: &Table) -> Result<i64> {
        let Some(column) = &table.identity else { return Ok(0) };
        let sequence = self
            .client
            .query_one("SELECT pg_get_serial_sequence($1, $2)", &[&quoted(&table.name), column])
            .await
            .and_then(|row| row.try_get::<_, String>(0))
            .map_err(|error| failed("finding a sequence", error))?;
        let position = format!("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}");
        self.number("reading a sequence", &position).await
    }
}

#[async_trait]
impl WriteSide for PostgresSide {
    async fn has_rows(&mut self, table: &Table) -> Result<bool> {
        let query = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(&table.name));
        let row = self.client.query_one(&query, &[]).await;
        row.and_then(|row| row.try_get(0)).map_err(|error| failed("looking for rows", error))
    }

    async fn unfinished(&mut self) -> Result<Option<String>> {
        let looked = async {
            let there = self.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&UNFINISHED_COPY]).await?;
            if !there.try_get::<_, bool>(0)? {
                return Ok(None);
            }
            let mark = self.client.query_one(&format!("SELECT source FROM {UNFINISHED_COPY}"), &[]).await?;
            mark.try_get(0).map(Some)
        };
        looked.await.map_err(|error| failed("looking for an unfinished copy", error))
    }

    async fn begin(&mut self, source: Fingerprint) -> Result<()> {
        let mark = format!(
            "BEGIN; CREATE TABLE {UNFINISHED_COPY} (source TEXT NOT NULL); \
             INSERT INTO {UNFINISHED_COPY} (source) VALUES ('{}'); COMMIT",
            source.text()
        );
        self.client.batch_execute(&mark).await.map_err(|error| failed("marking the copy as begun", error))
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Vec<u8>>> {
        let (sender, mut keys) = channel(BATCHES_BETWEEN);
        self.copy_out(&query::last_key(table), &sender).await?;
        Ok(keys.try_recv().ok().map(Batch::into_bytes))
    }

    async fn write(
        &mut self,
        table: &Table,
        mut batches: Receiver<Batch>,
        written: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()> {
        let copy = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", quoted(&table.name), table.column_list());
        let copy = self.client.prepare(&copy).await.map_err(|error| failed("preparing to write", error))?;
        while let Some(batch) = batches.recv().await {
            self.make_partitions(table, &batch).await?;
            let bytes = Bytes::from([&HEADER[..], batch.bytes(), &TRAILER].concat());
            let sent = async {
                let sink = self.client.copy_in(&copy).await?;
                let mut sink = std::pin::pin!(sink);
                sink.send(bytes).await?;
                sink.finish().await
            };
            sent.await.map_err(|error| refused_rows(table, &batch, error))?;
            written(batch.rows() as u64);
        }
        Ok(())
    }

    async fn set_identity_position(&mut self, table: &Table, position: i64) -> Result<()> {
        let Some(column) = &table.identity else { return Ok(()) };
        let set = "SELECT setval(pg_get_serial_sequence($1, $2)::REGCLASS, $3)";
        let set = self.client.execute(set, &[&quoted(&table.name), column, &position]).await;
        set.map(drop).map_err(|error| failed("setting a sequence", error))
    }

    async fn finish(&mut self, tables: &[Table]) -> Result<()> {
        // Otherwise the first queries would be planned for empty tables.
        let analyze: String = tables.iter().map(|table| format!("ANALYZE {}; ", quoted(&table.name))).collect();
        let analyzed = self.client.batch_execute(&analyze).await;
        analyzed.map_err(|error| failed("looking over the new tables", error))?;
        let done = format!("SET synchronous_commit = on; DROP TABLE {UNFINISHED_COPY}");
        self.client.batch_execute(&done).await.map_err(|error| failed("marking the copy as finished", error))
    }
}

async fn connect(settings: &PostgresSettings, session: &[(&str, &str)]) -> Result<Client> {
    let endpoint = settings.endpoint()?.with_session(session);
    let unreached = |error| failed("connecting to copy", error);
    // Whoever uses the client is told when its connection ends.
    Ok(match &endpoint.tls {
        Some(tls) => {
            let (client, connection) = endpoint.config.connect(tls.connector()).await.map_err(unreached)?;
            tokio::spawn(connection);
            client
        }
        None => {
            let (client, connection) = endpoint.config.connect(NoTls).await.map_err(unreached)?;
            tokio::spawn(connection);
            client
        }
    })
}

fn failed(context: &'static str, error: Error) -> StorageError {
    // Classes of SQLSTATE: connection, resources, operator's intervention.
    let away = error.code().map_or_else(
        || error.is_closed(),
        |code| ["08", "53", "57"].iter().any(|class| code.code().starts_with(class)),
    );
    let source: Option<Box<dyn std::error::Error + Send + Sync>> = Some(Box::new(error));
    if away { StorageError::Unavailable { context, source } } else { StorageError::Internal { context, source } }
}

/// Why a batch was refused; text with a NUL, which only SQLite takes, by name.
fn refused_rows(table: &Table, batch: &Batch, error: Error) -> StorageError {
    if error.code() == Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE) {
        let mut cells = Vec::new();
        for row in batch.iter() {
            cells.clear();
            if append_cells(row, &table.columns, &mut cells).is_err() {
                break;
            }
            let nul = cells.iter().position(|cell| matches!(cell, Cell::Text(text) if text.contains('\0')));
            if let Some(at) = nul {
                let column = &table.columns[at].name;
                let reason = format!("{}.{column} holds text with a NUL, which PostgreSQL cannot keep", table.name);
                return StorageError::CannotCopy { reason };
            }
        }
    }
    failed("writing rows", error)
}
