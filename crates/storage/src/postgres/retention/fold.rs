//! Samples into hours, hours into days.

use std::collections::BTreeMap;

use astranetmon_domain::AccountId;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{expire, runs};
use crate::chunks::take_out;
use crate::counts::{CountDeltas, RecordKind};
use crate::postgres::append::{lock_account, lower_counts, touch_account};
use crate::postgres::chunks;
use crate::postgres::failure::Failure;
use crate::retention::{DAY, Gathered, Goes, HOUR, Run, Source};

type Result<T> = std::result::Result<T, Failure>;

const FOLDED: &str =
    "UPDATE account SET data_version = data_version + 1, folded_before = GREATEST(folded_before, $2) WHERE id = $1";

/// Takes the samples of the runs out of their rows and out of the counts; how many.
pub(super) async fn take_samples(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    runs: &[Run],
    goes: Goes,
) -> Result<u64> {
    // Nobody appends until this is done.
    lock_account(connection, account).await?;
    if goes == Goes::Away {
        for run in runs {
            if !expire::is_to_remove(connection, account, &run.agent_id).await? {
                return Ok(0);
            }
        }
    }
    let samples = runs::take_samples(connection, account, runs).await?;
    let mut deltas = CountDeltas::default();
    let mut gathered = BTreeMap::<String, Gathered>::new();
    let taken = samples.len() as u64;
    for sample in samples {
        deltas.remove(&sample.agent_id, sample.timestamp);
        let of_agent = gathered.entry(sample.agent_id).or_insert_with(Gathered::into_hours);
        of_agent.push(sample.timestamp, &sample.measured);
    }
    record_gone(connection, account, goes, &deltas, gathered).await?;
    Ok(taken)
}

/// Takes what goes out of the chunks of the runs and out of the counts; how many samples.
pub(super) async fn take_chunks(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    runs: &[Run],
    goes: Goes,
) -> Result<u64> {
    lock_account(connection, account).await?;
    let mut taken = 0;
    let mut deltas = CountDeltas::default();
    let mut gathered = BTreeMap::<String, Gathered>::new();
    for run in runs {
        if goes == Goes::Away && !expire::is_to_remove(connection, account, &run.agent_id).await? {
            continue;
        }
        let of_agent = gathered.entry(run.agent_id.clone()).or_insert_with(Gathered::into_hours);
        let found = chunks::starting_within(connection, account, &run.agent_id, (run.first, run.last)).await?;
        for (period, samples) in found {
            let lost = take_out(&run.agent_id, period.clone(), samples, goes, &mut deltas, of_agent);
            chunks::replace(connection, account, &run.agent_id, &period, &lost.left).await?;
            taken += lost.samples;
        }
    }
    record_gone(connection, account, goes, &deltas, gathered).await?;
    Ok(taken)
}

async fn record_gone(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    goes: Goes,
    deltas: &CountDeltas,
    gathered: BTreeMap<String, Gathered>,
) -> Result<()> {
    lower_counts(connection, account, RecordKind::Metric, deltas).await?;
    match goes {
        Goes::Folded { before } => {
            runs::put(connection, account, HOUR, gathered).await?;
            let folded = sql_query(FOLDED).bind::<BigInt, _>(account.0).bind::<BigInt, _>(before);
            folded.execute(connection).await?;
        }
        Goes::Away => touch_account(connection, account).await?,
    }
    Ok(())
}

/// Puts the hourly summaries of the runs into those of their days; how many.
pub(super) async fn fold_hours(connection: &mut AsyncPgConnection, account: AccountId, runs: &[Run]) -> Result<u64> {
    lock_account(connection, account).await?;
    let hours = runs::take_summaries(connection, account, HOUR, runs).await?;
    let folded = hours.len() as u64;
    let mut gathered = BTreeMap::<String, Gathered>::new();
    for hour in hours {
        let summary = hour.unpack()?;
        gathered.entry(hour.agent_id).or_insert_with(Gathered::into_days).merge(hour.bucket, &summary);
    }
    runs::put(connection, account, DAY, gathered).await?;
    touch_account(connection, account).await?;
    Ok(folded)
}

/// The summaries of the runs go; how many.
pub(super) async fn delete_summaries(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    source: Source,
    runs: &[Run],
) -> Result<u64> {
    lock_account(connection, account).await?;
    let period = if source == Source::Days { DAY } else { HOUR };
    let gone = runs::take_summaries(connection, account, period, runs).await?;
    touch_account(connection, account).await?;
    Ok(gone.len() as u64)
}
