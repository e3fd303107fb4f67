use astranetmon_auth::{ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{
    AccountId, Limit, MetricColumns, RecordFilter, Speedtest, SpeedtestFilter, Traceroute, TracerouteFilter,
};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::chunks::load_chunks;
use super::failure::Failure;
use super::records::matching;
use super::{PostgresStorage, Result, queries};
use crate::StorageError;
use crate::arrivals::{ArrivalMerge, ArrivedChunk, CHUNKS_AT_ONCE, MOST_CHUNKS, none, of_rows};
use crate::repository::{ArrivalPosition, ArrivalRepository, Arrivals};
use crate::rows::{RecordRow, SpeedtestRow, TracerouteRow};
use crate::schema::account;

type Read<T> = std::result::Result<T, Failure>;

#[async_trait]
impl ArrivalRepository for PostgresStorage {
    async fn metric_arrivals(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        after: ArrivalPosition,
        limit: Limit<10_000>,
    ) -> Result<Arrivals<MetricColumns>> {
        let account_id = scope.account_id();
        self.read_share(account_id, "reading metrics as they came", async |connection| {
            // One moment for all statements: what goes from a row into a chunk meanwhile is seen once.
            connection
                .build_transaction()
                .read_only()
                .repeatable_read()
                .run(async |connection: &mut AsyncPgConnection| {
                    metrics(connection, account_id, filter, after, limit.rows()).await
                })
                .await
        })
        .await
    }

    async fn speedtest_arrivals(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Speedtest>>> {
        let account_id = scope.account_id();
        self.read_share(account_id, "reading speed tests as they came", async |connection| {
            let last = last_sequence(connection, account_id).await?;
            let matching = matching(connection, account_id, &filter.records).await?;
            let Some(matching) = matching else { return Ok(none(last)) };
            let fetch = i64::from(limit.rows()) + 1;
            let rows = queries::speedtest_arrivals(account_id, &matching, filter, after.0, fetch);
            let mut rows: Vec<SpeedtestRow> = rows.load(connection).await?;
            rows.retain(|row| row.is_up_to(last));
            Ok(of_rows(rows, limit.rows(), last)?)
        })
        .await
    }

    async fn traceroute_arrivals(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Traceroute>>> {
        let account_id = scope.account_id();
        self.read_share(account_id, "reading traceroutes as they came", async |connection| {
            let last = last_sequence(connection, account_id).await?;
            let matching = matching(connection, account_id, &filter.records).await?;
            let Some(matching) = matching else { return Ok(none(last)) };
            let fetch = i64::from(limit.rows()) + 1;
            let rows = queries::traceroute_arrivals(account_id, &matching, filter, after.0, fetch);
            let mut rows: Vec<TracerouteRow> = rows.load(connection).await?;
            rows.retain(|row| row.is_up_to(last));
            Ok(of_rows(rows, limit.rows(), last)?)
        })
        .await
    }
}

/// The account's last sequence. Everything up to it can be read from then on.
async fn last_sequence(connection: &mut AsyncPgConnection, account_id: AccountId) -> Read<i64> {
    let sequence = account::table.find(account_id.0).select(account::last_sequence);
    let sequence = sequence.first(connection).await.optional()?;
    sequence.ok_or_else(|| StorageError::Missing { what: "account" }.into())
}

async fn metrics(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    filter: &RecordFilter,
    after: ArrivalPosition,
    limit: u32,
) -> Read<Arrivals<MetricColumns>> {
    let last = last_sequence(connection, account_id).await?;
    let Some(matching) = matching(connection, account_id, filter).await? else { return Ok(none(last)) };
    let rows = queries::metric_arrivals(account_id, &matching, after.0, i64::from(limit) + 1).load(connection).await?;
    let mut merge = ArrivalMerge::new(&matching.range, after, limit, rows);
    let chunks = queries::chunk_arrivals(account_id, &matching, after.0, MOST_CHUNKS as i64);
    let chunks: Vec<ArrivedChunk> = chunks.load(connection).await?;
    let mut unopened = chunks.last().filter(|_| chunks.len() == MOST_CHUNKS).map(|chunk| chunk.lowest_sequence);
    for chunks in chunks.chunks(CHUNKS_AT_ONCE) {
        let needed = chunks.iter().take_while(|chunk| merge.needs(chunk.lowest_sequence)).count();
        let keys = chunks[..needed].iter().map(|chunk| (chunk.agent_id.as_str(), chunk.starts_at));
        for (place, times, packed) in load_chunks(connection, account_id, keys).await? {
            merge.open(chunks[place].agent_id.clone(), &times, packed)?;
        }
        if let Some(next) = chunks.get(needed) {
            unopened = Some(next.lowest_sequence);
            break;
        }
    }
    Ok(merge.finish(last, unopened)?)
}
