use astranetmon_domain::{AccountId, AgentId, MetricSample, Timestamp};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::chunks::ChunkSamples;
use crate::measured::Measured;
use crate::postgres::failure::Failure;
use crate::postgres::queries;
use crate::repository::{AlertInputs, AlertQuery};
use crate::schema::account;

/// One look-up by key an agent. The earliest time is given once more as a constant, by which partitions are left out.
pub(in crate::postgres) const SAMPLES_AFTER: &str = "\
    SELECT asked.position, found.timestamp, found.measured \
    FROM UNNEST($2, $3) WITH ORDINALITY AS asked (agent_id, after, position) \
    CROSS JOIN LATERAL ( \
        SELECT m.timestamp, m.measured FROM metric_sample m \
        WHERE m.account_id = $1 AND m.agent_id = asked.agent_id AND m.timestamp > asked.after AND m.timestamp > $4 \
            AND m.timestamp < $6 \
        ORDER BY m.timestamp LIMIT $5 \
    ) found \
    ORDER BY asked.position, found.timestamp LIMIT $5";

#[derive(diesel::QueryableByName)]
struct SampleRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = BigInt)]
    timestamp: i64,
    #[diesel(sql_type = Binary)]
    measured: Measured,
}

/// The samples behind each agent's own time, agent by agent.
pub(super) async fn read_samples(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    query: &AlertQuery,
    inputs: &mut AlertInputs,
) -> Result<(), Failure> {
    let Some(earliest) = query.samples_after.iter().map(|(_, after)| after.as_micros()).min() else { return Ok(()) };
    let agent_ids: Vec<&str> = query.samples_after.iter().map(|(agent_id, _)| agent_id.as_str()).collect();
    let after: Vec<i64> = query.samples_after.iter().map(|(_, after)| after.as_micros()).collect();
    let rows: Vec<SampleRow> = sql_query(SAMPLES_AFTER)
        .bind::<BigInt, _>(account_id.0)
        .bind::<Array<Text>, _>(agent_ids)
        .bind::<Array<BigInt>, _>(after)
        .bind::<BigInt, _>(earliest)
        .bind::<BigInt, _>(AlertQuery::MAX_SAMPLES as i64 + 1)
        .bind::<BigInt, _>(query.samples_before.as_micros())
        .load(connection)
        .await?;
    let rows = rows.into_iter().map(|row| (row.position, row.timestamp, row.measured));
    let mut samples: Vec<(i64, i64, Measured)> = rows.collect();
    // Behind the rows, so that what is sealed meanwhile is seen, if twice.
    let sealed = sealed_samples(connection, account_id, query, earliest).await?;
    if !sealed.is_empty() {
        samples.extend(sealed);
        samples.sort_by_key(|&(position, timestamp, _)| (position, timestamp));
        samples.dedup_by_key(|&mut (position, timestamp, _)| (position, timestamp));
    }
    inputs.more_samples = samples.len() > AlertQuery::MAX_SAMPLES;
    let sample = |(position, timestamp, measured): (i64, i64, Measured)| {
        let (agent_id, _): &(AgentId, Timestamp) = query.samples_after.get(usize::try_from(position - 1).ok()?)?;
        Some(MetricSample::from_fixed_values(agent_id.clone(), Timestamp::from_micros(timestamp), &measured.0))
    };
    inputs.samples = samples.into_iter().take(AlertQuery::MAX_SAMPLES).filter_map(sample).collect();
    Ok(())
}

/// Those of them that are in chunks, with the positions of their agents, from 1.
async fn sealed_samples(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    query: &AlertQuery,
    earliest: i64,
) -> Result<Vec<(i64, i64, Measured)>, Failure> {
    let sealed_before: Option<i64> = account::table
        .filter(account::id.eq(account_id.0))
        .filter(account::sealed_before.gt(earliest))
        .select(account::sealed_before)
        .first(connection)
        .await
        .optional()?;
    let Some(sealed_before) = sealed_before else { return Ok(Vec::new()) };
    let mut samples = Vec::new();
    for (position, (agent_id, after)) in (1..).zip(&query.samples_after) {
        let span = (after.as_micros().saturating_add(1), query.samples_before.as_micros().min(sealed_before));
        if span.0 >= span.1 || samples.len() > AlertQuery::MAX_SAMPLES {
            continue;
        }
        let chunks: Vec<(i64, i64, Vec<u8>, Vec<u8>)> =
            queries::chunks_of_agent(account_id, agent_id.as_str(), span).load(connection).await?;
        for (_, _, times, packed) in chunks {
            let within = ChunkSamples::unpack(&times, &packed)?;
            samples.extend(within.within(span).map(|(timestamp, measured)| (position, timestamp, measured)));
        }
    }
    Ok(samples)
}
