//! Rows into chunks.

use std::ops::Range;

use astranetmon_domain::AccountId;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::chunks::{ChunkSamples, DAY_MICROS, day_of, packed_parts};
use crate::measured::Measured;
use crate::postgres::append::lock_account;
use crate::postgres::chunks;
use crate::postgres::failure::Failure;
use crate::retention::{
    CHUNKS_ACROSS, CHUNKS_OF_DAY, ChunkSpanRow, HourRow, NumberRow, SEALED, UNSEALED, UNSEALED_HOURS, UnsealedDay,
    UnsealedRow, unsealed_day as day,
};

type Result<T> = std::result::Result<T, Failure>;

/// The first day from `from` on that has rows which are finished, and what of it is to be sealed.
pub(super) async fn unsealed_day(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    agent_id: &str,
    from: i64,
    finished_before: i64,
) -> Result<Option<UnsealedDay>> {
    let unsealed = sql_query(UNSEALED).bind::<BigInt, _>(account_id.0).bind::<Text, _>(agent_id);
    let unsealed: UnsealedRow = unsealed.bind::<BigInt, _>(from).get_result(connection).await?;
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
    let hours: Vec<HourRow> = of_day(UNSEALED_HOURS).load(connection).await?;
    let chunks: Vec<ChunkSpanRow> = of_day(CHUNKS_OF_DAY).load(connection).await?;
    Ok(Some(day(start, hours, chunks, finished_before)))
}

#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = BigInt)]
    timestamp: i64,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = BigInt)]
    received_at: i64,
    #[diesel(sql_type = Binary)]
    measured: Measured,
}

/// Takes the rows of agent `$2` of account `$1` from `$3` to before `$4`.
const TAKE_ROWS: &str = "DELETE FROM metric_sample WHERE account_id = $1 AND agent_id = $2 AND timestamp >= $3 \
     AND timestamp < $4 RETURNING timestamp, sequence, received_at, measured";

/// Makes one chunk of an agent's rows and shorter chunks of a span of time; how many rows there were. Nothing is done if
/// the span has become part of a longer chunk since it was chosen.
pub(super) async fn seal(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    agent_id: &str,
    period: Range<i64>,
) -> Result<u64> {
    // Nobody appends until this is done.
    lock_account(connection, account_id).await?;
    let across: NumberRow = sql_query(CHUNKS_ACROSS)
        .bind::<BigInt, _>(account_id.0)
        .bind::<Text, _>(agent_id)
        .bind::<BigInt, _>(period.start)
        .bind::<BigInt, _>(period.end)
        .bind::<BigInt, _>(period.start - DAY_MICROS)
        .get_result(connection)
        .await?;
    if across.number > 0 {
        return Ok(0);
    }
    let mut rows: Vec<SealedRow> = sql_query(TAKE_ROWS)
        .bind::<BigInt, _>(account_id.0)
        .bind::<Text, _>(agent_id)
        .bind::<BigInt, _>(period.start)
        .bind::<BigInt, _>(period.end)
        .load(connection)
        .await?;
    rows.sort_unstable_by_key(|row| row.timestamp);
    let mut samples = ChunkSamples::default();
    for row in &rows {
        samples.push(row.timestamp, row.sequence, row.received_at, &row.measured);
    }
    let shorter = chunks::starting_within(connection, account_id, agent_id, (period.start, period.end - 1)).await?;
    if rows.is_empty() && shorter.len() <= 1 {
        return Ok(0);
    }
    shorter.into_iter().for_each(|(_, of_chunk)| samples.take_in(of_chunk));
    chunks::replace(connection, account_id, agent_id, &period, &packed_parts(period.clone(), samples)).await?;
    sql_query(SEALED).bind::<BigInt, _>(period.end).bind::<BigInt, _>(account_id.0).execute(connection).await?;
    Ok(rows.len() as u64)
}
