//! Giving the disk of whole months back.

use astranetmon_domain::{Retention, Timestamp};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::StorageError;
use crate::counts::RecordKind;
use crate::postgres::failure::Failure;
use crate::postgres::partition;
use crate::postgres::totals::table;
use crate::retention::Limits;
use crate::rows::RetentionRow;
use crate::schema::account;

type Result<T> = std::result::Result<T, Failure>;

const KINDS: [RecordKind; 3] = [RecordKind::Metric, RecordKind::Speedtest, RecordKind::Traceroute];

/// A partition of a month.
pub(super) struct Partition {
    table: &'static str,
    name: String,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct OldestRow {
    #[diesel(sql_type = diesel::sql_types::Nullable<BigInt>)]
    oldest: Option<i64>,
}

const PARTITIONS: &str = "SELECT c.relname AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid \
     WHERE i.inhparent = to_regclass($1) ORDER BY c.relname";

/// The first hour in which any account has rows of kind `$1`.
const OLDEST: &str = "SELECT MIN(first.bucket) AS oldest FROM account AS a CROSS JOIN LATERAL (SELECT bucket \
     FROM record_count AS r WHERE r.account_id = a.id AND r.kind = $1 AND r.agent_id = '' AND r.period = 3600 \
     ORDER BY bucket LIMIT 1) AS first";

/// A month's partition from which every row has gone, and for which no account takes rows any more.
pub(super) async fn unneeded(connection: &mut AsyncPgConnection, now: Timestamp) -> Result<Option<Partition>> {
    let Some(limits) = everybodys_limits(connection, now).await? else { return Ok(None) };
    for kind in KINDS {
        let oldest: OldestRow = sql_query(OLDEST).bind::<BigInt, _>(kind as i64).get_result(connection).await?;
        let before = limits.rows(kind).min(oldest.oldest.unwrap_or(i64::MAX));
        let of_chunks = (kind == RecordKind::Metric).then_some("metric_chunk");
        for table in [table(kind)].into_iter().chain(of_chunks) {
            let partitions: Vec<NameRow> = sql_query(PARTITIONS).bind::<Text, _>(table).load(connection).await?;
            for NameRow { name } in partitions {
                if partition::end_of(table, &name)?.is_some_and(|end| end <= before) {
                    return Ok(Some(Partition { table, name }));
                }
            }
        }
    }
    Ok(None)
}

/// Before which moments no account keeps anything; `None` without accounts.
async fn everybodys_limits(connection: &mut AsyncPgConnection, now: Timestamp) -> Result<Option<Limits>> {
    let rows: Vec<RetentionRow> = account::table.select(RetentionRow::as_select()).load(connection).await?;
    let mut limits = None;
    for row in rows {
        let kept: Retention = row.setting()?.effective();
        let of_account = Limits::of(kept, now);
        limits = Some(limits.map_or(of_account, |limits: Limits| limits.earlier(of_account)));
    }
    Ok(limits)
}

/// Drops a partition unless it holds a row. Gives up soon where others use its table: while it waits, they wait behind
/// it.
pub(super) async fn drop(connection: &mut AsyncPgConnection, partition: &Partition) -> Result<()> {
    let Partition { table, name } = partition;
    partition::lock(connection).await?;
    connection
        .batch_execute(&format!(
            "SET LOCAL lock_timeout = '50ms'; SET LOCAL statement_timeout = '100ms'; \
             LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"
        ))
        .await?;
    let held: Option<OldestRow> = sql_query(format!("SELECT account_id AS oldest FROM {name} LIMIT 1"))
        .get_result(connection)
        .await
        .optional()?;
    if held.is_some() {
        return Err(StorageError::Internal { context: "a partition that counts say is empty", source: None }.into());
    }
    connection.batch_execute(&format!("DROP TABLE {name}")).await?;
    Ok(())
}
