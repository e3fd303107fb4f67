use astranetmon_domain::{AccountId, AgentId, MetricSample, Timestamp};
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::measured::Measured;
use crate::postgres::failure::Failure;
use crate::repository::{AlertInputs, AlertQuery};

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
    inputs.more_samples = rows.len() > AlertQuery::MAX_SAMPLES;
    let sample = |row: SampleRow| {
        let (agent_id, _): &(AgentId, Timestamp) = query.samples_after.get(usize::try_from(row.position - 1).ok()?)?;
        let timestamp = Timestamp::from_micros(row.timestamp);
        Some(MetricSample::from_fixed_values(agent_id.clone(), timestamp, &row.measured.0))
    };
    inputs.samples = rows.into_iter().take(AlertQuery::MAX_SAMPLES).filter_map(sample).collect();
    Ok(())
}
