//! Samples into hours, hours into days.

use astranetmon_domain::AccountId;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::SqliteConnection;

use super::expire;
use crate::StorageError;
use crate::chunks::take_out;
use crate::counts::{CountDeltas, RecordKind};
use crate::retention::{
    DAY, DELETE_SUMMARIES, Gathered, Goes, HOUR, PUT_SUMMARY, Run, SUMMARIES, Source, Summary, SummaryRow,
};
use crate::rows::PackedMetricRow;
use crate::schema::{account, metric_sample};
use crate::sqlite::records::{lower_counts, raise_data_version};
use crate::sqlite::{Result, chunks};

/// Takes the samples of the runs out of their rows and out of the counts; how many.
pub(super) fn take_samples(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    runs: &[Run],
    goes: Goes,
) -> Result<u64> {
    let mut taken = 0;
    let mut deltas = CountDeltas::default();
    for run in runs {
        if goes == Goes::Away && !expire::is_to_remove(connection, account_id, &run.agent_id)? {
            continue;
        }
        let rows = || {
            metric_sample::table
                .filter(metric_sample::account_id.eq(account_id.0))
                .filter(metric_sample::agent_id.eq(&run.agent_id))
                .filter(metric_sample::timestamp.ge(run.first))
                .filter(metric_sample::timestamp.le(run.last))
        };
        let mut gathered = Gathered::into_hours();
        let mut read = 0;
        for row in rows().select(PackedMetricRow::as_select()).load_iter::<PackedMetricRow, _>(connection)? {
            let row = row?;
            gathered.push(row.timestamp, &row.measured);
            deltas.remove(&run.agent_id, row.timestamp);
            read += 1;
        }
        if diesel::delete(rows()).execute(connection)? != read {
            return Err(StorageError::Internal { context: "taking samples that are not there", source: None });
        }
        if matches!(goes, Goes::Folded { .. }) {
            put(connection, account_id, &run.agent_id, gathered)?;
        }
        taken += read as u64;
    }
    record_gone(connection, account_id, goes, &deltas)?;
    Ok(taken)
}

/// Takes what goes out of the chunks of the runs and out of the counts; how many samples.
pub(super) fn take_chunks(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    runs: &[Run],
    goes: Goes,
) -> Result<u64> {
    let mut taken = 0;
    let mut deltas = CountDeltas::default();
    for run in runs {
        if goes == Goes::Away && !expire::is_to_remove(connection, account_id, &run.agent_id)? {
            continue;
        }
        let mut gathered = Gathered::into_hours();
        for (period, samples) in chunks::starting_within(connection, account_id, &run.agent_id, (run.first, run.last))?
        {
            let lost = take_out(&run.agent_id, period.clone(), samples, goes, &mut deltas, &mut gathered);
            chunks::replace(connection, account_id, &run.agent_id, &period, &lost.left)?;
            taken += lost.samples;
        }
        put(connection, account_id, &run.agent_id, gathered)?;
    }
    record_gone(connection, account_id, goes, &deltas)?;
    Ok(taken)
}

fn record_gone(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    goes: Goes,
    deltas: &CountDeltas,
) -> Result<()> {
    lower_counts(connection, account_id, RecordKind::Metric, deltas)?;
    if let Goes::Folded { before } = goes {
        diesel::update(account::table.find(account_id.0))
            .filter(account::folded_before.lt(before))
            .set(account::folded_before.eq(before))
            .execute(connection)?;
    }
    raise_data_version(connection, account_id)
}

/// Puts the hourly summaries of the runs into those of their days; how many.
pub(super) fn fold_hours(connection: &mut SqliteConnection, account_id: AccountId, runs: &[Run]) -> Result<u64> {
    let mut folded = 0;
    for run in runs {
        let mut gathered = Gathered::into_days();
        let hours = summaries(connection, account_id, &run.agent_id, HOUR, (run.first, run.last))?;
        for hour in &hours {
            gathered.merge(hour.bucket, &Summary::unpack(hour.sample_count, &hour.summary)?);
        }
        if delete(connection, account_id, run, HOUR)? != hours.len() {
            return Err(StorageError::Internal { context: "taking summaries that are not there", source: None });
        }
        put(connection, account_id, &run.agent_id, gathered)?;
        folded += hours.len() as u64;
    }
    raise_data_version(connection, account_id)?;
    Ok(folded)
}

/// The summaries of the runs go; how many.
pub(super) fn delete_summaries(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    source: Source,
    runs: &[Run],
) -> Result<u64> {
    let period = if source == Source::Days { DAY } else { HOUR };
    let mut gone = 0;
    for run in runs {
        gone += delete(connection, account_id, run, period)? as u64;
    }
    raise_data_version(connection, account_id)?;
    Ok(gone)
}

fn summaries(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &str,
    period: i64,
    (first, last): (i64, i64),
) -> Result<Vec<SummaryRow>> {
    let query = sql_query(SUMMARIES).bind::<BigInt, _>(account_id.0).bind::<Text, _>(agent_id);
    let query = query.bind::<BigInt, _>(period).bind::<BigInt, _>(first).bind::<BigInt, _>(last);
    Ok(query.load(connection)?)
}

fn delete(connection: &mut SqliteConnection, account_id: AccountId, run: &Run, period: i64) -> Result<usize> {
    let query = sql_query(DELETE_SUMMARIES).bind::<BigInt, _>(account_id.0).bind::<Text, _>(&run.agent_id);
    let query = query.bind::<BigInt, _>(period).bind::<BigInt, _>(run.first).bind::<BigInt, _>(run.last);
    Ok(query.execute(connection)?)
}

/// Stores what was gathered of an agent, with what is stored of the same hours or days.
fn put(connection: &mut SqliteConnection, account_id: AccountId, agent_id: &str, mut gathered: Gathered) -> Result<()> {
    let Some(ends) = gathered.ends() else { return Ok(()) };
    let period = gathered.period();
    for stored in summaries(connection, account_id, agent_id, period, ends)? {
        if gathered.contains(stored.bucket) {
            gathered.merge(stored.bucket, &Summary::unpack(stored.sample_count, &stored.summary)?);
        }
    }
    for (start, summary) in gathered.iter() {
        sql_query(PUT_SUMMARY)
            .bind::<BigInt, _>(account_id.0)
            .bind::<Text, _>(agent_id)
            .bind::<BigInt, _>(period)
            .bind::<BigInt, _>(start)
            .bind::<BigInt, _>(summary.sample_count.cast_signed())
            .bind::<Binary, _>(summary.pack())
            .execute(connection)?;
    }
    Ok(())
}
