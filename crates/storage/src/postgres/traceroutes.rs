use std::collections::HashSet;

use astranetmon_auth::{Ingest, ReadTraceroutes, Scope};
use astranetmon_domain::{PageRequest, RecordFilter, RecordPosition, Timestamp, Traceroute, TracerouteId};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::append::{add_counts, advance_account, lock_account};
use super::failure::Failure;
use super::paths::compare_paths;
use super::totals::total;
use super::{PostgresStorage, Result, queries};
use crate::counts::{CountDeltas, RecordKind};
use crate::repository::{Appended, RecordPage, TracerouteRepository};
use crate::rows::TracerouteRow;
use crate::schema::traceroute;

/// Rows of one statement: 19 columns each, at most 65,535 values in all.
const ROWS_AT_ONCE: usize = 3_000;

#[async_trait]
impl TracerouteRepository for PostgresStorage {
    async fn traceroute_page(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &RecordFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>> {
        if filter.is_empty() {
            return Ok(RecordPage::default());
        }
        let account_id = scope.account_id();
        let limit = page.limit.rows() as usize;
        self.read_share(account_id, "reading traceroutes", async |connection| {
            let query =
                queries::traceroute_page(account_id, filter, page.after.as_ref(), i64::from(page.limit.rows()) + 1);
            let mut rows: Vec<TracerouteRow> = query.load(connection).await?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let total = if page.after.is_none() && !more {
                rows.len() as u64
            } else {
                total(connection, account_id, RecordKind::Traceroute, filter).await?
            };
            let rows = rows.into_iter().map(TracerouteRow::into_traceroute).collect::<Result<_>>()?;
            Ok(RecordPage { rows, total, more })
        })
        .await
    }

    async fn traceroute_find(&self, scope: &Scope<ReadTraceroutes>, id: TracerouteId) -> Result<Option<Traceroute>> {
        let row = self
            .read("finding a traceroute", async |connection| {
                let query = traceroute::table
                    .filter(traceroute::account_id.eq(scope.account_id().0))
                    .filter(traceroute::id.eq(id.0.as_bytes().as_slice()))
                    .select(TracerouteRow::as_select())
                    .order(traceroute::agent_id.asc());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(TracerouteRow::into_traceroute).transpose()
    }

    async fn traceroute_append(
        &self,
        scope: &Scope<Ingest>,
        traceroutes: Vec<Traceroute>,
        now: Timestamp,
    ) -> Result<Appended> {
        if traceroutes.is_empty() {
            return Ok(Appended::default());
        }
        let given = traceroutes.len();
        self.make_partitions("traceroute", traceroutes.iter().map(|trace| trace.timestamp.as_micros())).await?;
        let account_id = scope.account_id();
        self.append("appending traceroutes", async |connection| {
            connection
                .transaction(async |connection| {
                    let last = lock_account(connection, account_id).await?;
                    // The key of the table has the time in it, as partitions demand; the identity has not, and is kept
                    // by looking while the account is locked.
                    let ids: Vec<Vec<u8>> = traceroutes.iter().map(|given| given.id.0.as_bytes().to_vec()).collect();
                    let known: Vec<(Vec<u8>, String)> = traceroute::table
                        .filter(traceroute::account_id.eq(account_id.0))
                        .filter(traceroute::id.eq_any(ids))
                        .select((traceroute::id, traceroute::agent_id))
                        .load(connection)
                        .await?;
                    let mut known: HashSet<(Vec<u8>, String)> = known.into_iter().collect();
                    let mut sequence = last;
                    let mut deltas = CountDeltas::default();
                    let mut rows = Vec::new();
                    for traceroute in traceroutes {
                        let key = (traceroute.id.0.as_bytes().to_vec(), traceroute.agent_id.as_str().to_owned());
                        if known.insert(key) {
                            sequence += 1;
                            let row = TracerouteRow::new(account_id, traceroute.normalized(), now, sequence);
                            deltas.add(&row.agent_id, row.timestamp);
                            rows.push(row);
                        }
                    }
                    if !rows.is_empty() {
                        compare_paths(connection, account_id, &mut rows).await?;
                        for rows in rows.chunks(ROWS_AT_ONCE) {
                            diesel::insert_into(traceroute::table).values(rows).execute(connection).await?;
                        }
                        add_counts(connection, account_id, RecordKind::Traceroute, &deltas).await?;
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
