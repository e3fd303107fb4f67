use std::collections::HashSet;

use astranetmon_auth::{Ingest, ReadSpeedtests, Scope};
use astranetmon_domain::{PageRequest, RecordFilter, RecordPosition, Speedtest, SpeedtestId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::append::{add_counts, advance_account, lock_account};
use super::failure::Failure;
use super::totals::total;
use super::{PostgresStorage, Result, queries};
use crate::counts::{CountDeltas, RecordKind};
use crate::repository::{Appended, RecordPage, SpeedtestRepository};
use crate::rows::SpeedtestRow;
use crate::schema::speedtest;

/// Rows of one statement: 25 columns each, at most 65,535 values in all.
const ROWS_AT_ONCE: usize = 2_000;

#[async_trait]
impl SpeedtestRepository for PostgresStorage {
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &RecordFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>> {
        if filter.is_empty() {
            return Ok(RecordPage::default());
        }
        let account_id = scope.account_id();
        let limit = page.limit.rows() as usize;
        self.read_share(account_id, "reading speed tests", async |connection| {
            let query =
                queries::speedtest_page(account_id, filter, page.after.as_ref(), i64::from(page.limit.rows()) + 1);
            let mut rows: Vec<SpeedtestRow> = query.load(connection).await?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let total = if page.after.is_none() && !more {
                rows.len() as u64
            } else {
                total(connection, account_id, RecordKind::Speedtest, filter).await?
            };
            let rows = rows.into_iter().map(SpeedtestRow::into_speedtest).collect::<Result<_>>()?;
            Ok(RecordPage { rows, total, more })
        })
        .await
    }

    async fn speedtest_find(&self, scope: &Scope<ReadSpeedtests>, id: SpeedtestId) -> Result<Option<Speedtest>> {
        let row = self
            .read("finding a speed test", async |connection| {
                let query = speedtest::table
                    .filter(speedtest::account_id.eq(scope.account_id().0))
                    .filter(speedtest::id.eq(id.0.as_bytes().as_slice()))
                    .select(SpeedtestRow::as_select())
                    .order(speedtest::agent_id.asc());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(SpeedtestRow::into_speedtest).transpose()
    }

    async fn speedtest_append(
        &self,
        scope: &Scope<Ingest>,
        speedtests: Vec<Speedtest>,
        now: Timestamp,
    ) -> Result<Appended> {
        if speedtests.is_empty() {
            return Ok(Appended::default());
        }
        let given = speedtests.len();
        self.make_partitions("speedtest", speedtests.iter().map(|speedtest| speedtest.timestamp.as_micros())).await?;
        let account_id = scope.account_id();
        self.append("appending speed tests", async |connection| {
            connection
                .transaction(async |connection| {
                    let last = lock_account(connection, account_id).await?;
                    // The key of the table has the time in it, as partitions demand; the identity has not, and is kept
                    // by looking while the account is locked.
                    let ids: Vec<Vec<u8>> = speedtests.iter().map(|given| given.id.0.as_bytes().to_vec()).collect();
                    let known: Vec<(Vec<u8>, String)> = speedtest::table
                        .filter(speedtest::account_id.eq(account_id.0))
                        .filter(speedtest::id.eq_any(ids))
                        .select((speedtest::id, speedtest::agent_id))
                        .load(connection)
                        .await?;
                    let mut known: HashSet<(Vec<u8>, String)> = known.into_iter().collect();
                    let mut sequence = last;
                    let mut deltas = CountDeltas::default();
                    let mut rows = Vec::new();
                    for speedtest in speedtests {
                        let key = (speedtest.id.0.as_bytes().to_vec(), speedtest.agent_id.as_str().to_owned());
                        if known.insert(key) {
                            sequence += 1;
                            let row = SpeedtestRow::new(account_id, speedtest.normalized(), now, sequence);
                            deltas.add(&row.agent_id, row.timestamp);
                            rows.push(row);
                        }
                    }
                    for rows in rows.chunks(ROWS_AT_ONCE) {
                        diesel::insert_into(speedtest::table).values(rows).execute(connection).await?;
                    }
                    if !rows.is_empty() {
                        add_counts(connection, account_id, RecordKind::Speedtest, &deltas).await?;
                        advance_account(connection, account_id, sequence).await?;
                    }
                    let inserted = rows.len();
                    Ok::<_, Failure>(Appended {
                        inserted: inserted as u64,
                        filled: 0,
                        known: (given - inserted) as u64,
                    })
                })
                .await
        })
        .await
    }
}
