use astranetmon_auth::{ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{
    AccountId, Limit, MetricColumns, RecordFilter, Speedtest, SpeedtestFilter, Traceroute, TracerouteFilter,
};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::records::{last_sequence, matching};
use super::{Result, SqliteStorage, queries};
use crate::arrivals::{ArrivalMerge, ArrivedChunk, MOST_CHUNKS, none, of_rows};
use crate::repository::{ArrivalPosition, ArrivalRepository, Arrivals};
use crate::schema::metric_chunk;

#[async_trait]
impl ArrivalRepository for SqliteStorage {
    async fn metric_arrivals(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        after: ArrivalPosition,
        limit: Limit<10_000>,
    ) -> Result<Arrivals<MetricColumns>> {
        let (account_id, filter) = (scope.account_id(), filter.clone());
        let read =
            move |connection: &mut SqliteConnection| metrics(connection, account_id, &filter, after, limit.rows());
        self.read_share(account_id, read).await
    }

    async fn speedtest_arrivals(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Speedtest>>> {
        let (account_id, filter) = (scope.account_id(), filter.clone());
        self.read_share(account_id, move |connection| {
            let last = last_sequence(connection, account_id)?;
            let Some(matching) = matching(connection, account_id, &filter.records)? else { return Ok(none(last)) };
            let rows =
                queries::speedtest_arrivals(account_id, &matching, &filter, after.0, i64::from(limit.rows()) + 1);
            of_rows(rows.load(connection)?, limit.rows(), last)
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
        let (account_id, filter) = (scope.account_id(), filter.clone());
        self.read_share(account_id, move |connection| {
            let last = last_sequence(connection, account_id)?;
            let Some(matching) = matching(connection, account_id, &filter.records)? else { return Ok(none(last)) };
            let rows =
                queries::traceroute_arrivals(account_id, &matching, &filter, after.0, i64::from(limit.rows()) + 1);
            of_rows(rows.load(connection)?, limit.rows(), last)
        })
        .await
    }
}

fn metrics(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    filter: &RecordFilter,
    after: ArrivalPosition,
    limit: u32,
) -> Result<Arrivals<MetricColumns>> {
    let last = last_sequence(connection, account_id)?;
    let Some(matching) = matching(connection, account_id, filter)? else { return Ok(none(last)) };
    let rows = queries::metric_arrivals(account_id, &matching, after.0, i64::from(limit) + 1).load(connection)?;
    let mut merge = ArrivalMerge::new(&matching.range, after, limit, rows);
    let chunks = queries::chunk_arrivals(account_id, &matching, after.0, MOST_CHUNKS as i64);
    let chunks: Vec<ArrivedChunk> = chunks.load(connection)?;
    let mut unopened = chunks.last().filter(|_| chunks.len() == MOST_CHUNKS).map(|chunk| chunk.lowest_sequence);
    for chunk in chunks {
        if !merge.needs(chunk.lowest_sequence) {
            unopened = Some(chunk.lowest_sequence);
            break;
        }
        let key = metric_chunk::table.find((account_id.0, &chunk.agent_id, chunk.starts_at));
        let (times, packed): (Vec<u8>, Vec<u8>) =
            key.select((metric_chunk::times, metric_chunk::packed)).first(connection)?;
        merge.open(chunk.agent_id, &times, packed)?;
    }
    merge.finish(last, unopened)
}
