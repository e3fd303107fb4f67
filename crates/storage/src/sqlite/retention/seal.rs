//! Rows into chunks.

use std::ops::Range;

use astranetmon_domain::AccountId;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use crate::StorageError;
use crate::chunks::{ChunkSamples, DAY_MICROS, day_of, packed_parts};
use crate::measured::Measured;
use crate::retention::{
    CHUNKS_ACROSS, CHUNKS_OF_DAY, ChunkSpanRow, HourRow, NumberRow, SEALED, UNSEALED, UNSEALED_HOURS, UnsealedDay,
    UnsealedRow, unsealed_day as day,
};
use crate::schema::metric_sample;
use crate::sqlite::{Result, chunks};

/// The first day from `from` on that has rows which are finished, and what of it is to be sealed.
pub(super) fn unsealed_day(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &str,
    from: i64,
    finished_before: i64,
) -> Result<Option<UnsealedDay>> {
    let unsealed = sql_query(UNSEALED).bind::<BigInt, _>(account_id.0).bind::<Text, _>(agent_id);
    let unsealed: UnsealedRow = unsealed.bind::<BigInt, _>(from).get_result(connection)?;
    let (Some(oldest), Some(newest)) = (unsealed.oldest, unsealed.newest) else { return Ok(None) };
    let finished_before = finished_before.min(newest);
    if oldest >= finished_before {
        return Ok(None);
    }
    let start = day_of(oldest);
    let of_day = |statement: &'static str| {
        sql_query(statement)
            .bind::<BigInt, _>(start)
            .bind::<BigInt, _>(account_id.0)
            .bind::<Text, _>(agent_id)
            .bind::<BigInt, _>(start + DAY_MICROS)
    };
    let hours: Vec<HourRow> = of_day(UNSEALED_HOURS).load(connection)?;
    let chunks: Vec<ChunkSpanRow> = of_day(CHUNKS_OF_DAY).load(connection)?;
    Ok(Some(day(start, hours, chunks, finished_before)))
}

/// Makes one chunk of an agent's rows and shorter chunks of a span of time; how many rows there were. Nothing is done if
/// the span has become part of a longer chunk since it was chosen.
pub(super) fn seal(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &str,
    period: Range<i64>,
) -> Result<u64> {
    let across: NumberRow = sql_query(CHUNKS_ACROSS)
        .bind::<BigInt, _>(account_id.0)
        .bind::<Text, _>(agent_id)
        .bind::<BigInt, _>(period.start)
        .bind::<BigInt, _>(period.end)
        .bind::<BigInt, _>(period.start - DAY_MICROS)
        .get_result(connection)?;
    if across.number > 0 {
        return Ok(0);
    }
    let rows = || {
        metric_sample::table
            .filter(metric_sample::account_id.eq(account_id.0))
            .filter(metric_sample::agent_id.eq(agent_id))
            .filter(metric_sample::timestamp.ge(period.start))
            .filter(metric_sample::timestamp.lt(period.end))
    };
    let mut samples = ChunkSamples::default();
    let columns =
        (metric_sample::timestamp, metric_sample::sequence, metric_sample::received_at, metric_sample::measured);
    let in_order = rows().select(columns).order(metric_sample::timestamp.asc());
    for row in in_order.load_iter::<(i64, i64, i64, Measured), _>(connection)? {
        let (timestamp, sequence, received_at, measured) = row?;
        samples.push(timestamp, sequence, received_at, &measured);
    }
    let sealed = samples.len();
    if diesel::delete(rows()).execute(connection)? != sealed {
        return Err(StorageError::Internal { context: "sealing samples that are not there", source: None });
    }
    let shorter = chunks::starting_within(connection, account_id, agent_id, (period.start, period.end - 1))?;
    if sealed == 0 && shorter.len() <= 1 {
        return Ok(0);
    }
    shorter.into_iter().for_each(|(_, of_chunk)| samples.take_in(of_chunk));
    chunks::replace(connection, account_id, agent_id, &period, &packed_parts(period.clone(), samples))?;
    sql_query(SEALED).bind::<BigInt, _>(period.end).bind::<BigInt, _>(account_id.0).execute(connection)?;
    Ok(sealed as u64)
}
