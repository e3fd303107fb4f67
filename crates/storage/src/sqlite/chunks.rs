//! Sealed chunks: read, written, and taken apart.

use std::ops::Range;

use astranetmon_domain::{AccountId, MetricColumns, MetricPosition, RecordFilter};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::{Result, queries};
use crate::buckets::BucketChunk;
use crate::chunks::{
    ChunkHead, ChunkRow, ChunkSamples, DAY_MICROS, PackedChunk, PageMerge, SealedPart, count_within, oldest_hour_needed,
};
use crate::metric_batch::MetricBatch;
use crate::repository::BucketQuery;
use crate::schema::{account, metric_chunk};

/// Chunks of agent `?2` of account `?1` for buckets of `?7` microseconds, of which one starts at `?6`: those between `?3`
/// and `?4`; `?5` is a day before `?3`. [`BucketChunk`](crate::buckets::BucketChunk)
const BUCKET_CHUNKS: &str = "SELECT first_at, sample_count, summary, times, \
     CASE WHEN first_at >= ?3 AND last_at < ?4 AND (first_at - ?6) / ?7 = (last_at - ?6) / ?7 THEN NULL \
     ELSE packed END AS packed FROM metric_chunk \
     WHERE account_id = ?1 AND agent_id = ?2 AND starts_at < ?4 AND starts_at > ?5 AND ends_at > ?3";

/// The end of the account's latest chunk, in microseconds.
pub(super) fn sealed_before(connection: &mut SqliteConnection, account_id: AccountId) -> Result<i64> {
    let sealed = account::table.find(account_id.0).select(account::sealed_before).first(connection).optional()?;
    Ok(sealed.unwrap_or(i64::MIN))
}

/// A page of at most `most` of the samples that are `rows`, or in chunks and within `span`.
pub(super) fn add_chunks(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    rows: &MetricColumns,
    filter: &RecordFilter,
    after: Option<&MetricPosition>,
    most: usize,
    (from, to): (i64, i64),
) -> Result<MetricColumns> {
    let hours = queries::metric_hours(account_id, &filter.agent, (from, to), most as i64 + 1);
    let hours = hours.load_iter::<(i64, i64), _>(connection)?.map_while(std::result::Result::ok);
    let from = oldest_hour_needed(hours, to, most as i64).map_or(from, |hour| hour.max(from));
    let heads = queries::chunk_heads(account_id, &filter.agent, (from, to)).load(connection)?;
    let mut page = PageMerge::new(rows, heads, filter, after, most)?;
    let needed: Vec<(usize, String, i64)> =
        page.needed().map(|(chunk, head)| (chunk, head.agent_id.clone(), head.starts_at)).collect();
    for (chunk, agent_id, starts_at) in needed {
        let key = metric_chunk::table.find((account_id.0, agent_id, starts_at));
        let packed: Vec<u8> = key.select(metric_chunk::packed).first(connection)?;
        page.fill(chunk, &packed)?;
    }
    Ok(page.finish())
}

/// How many samples of chunks lie between two moments, which are in microseconds.
pub(super) fn count(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    filter: &RecordFilter,
    span: (i64, i64),
) -> Result<i64> {
    let mut count = 0;
    for head in queries::chunk_heads(account_id, &filter.agent, span).load_iter::<ChunkHead, _>(connection)? {
        count += count_within(&head?.times, span)?;
    }
    Ok(count)
}

/// The chunks that buckets are made of.
pub(super) fn of_buckets(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    query: &BucketQuery,
    mut each: impl FnMut(&BucketChunk) -> Result<()>,
) -> Result<()> {
    use diesel::sql_types::{BigInt, Text};
    let (start, end) = query.micros();
    let width = query.bucket_micros();
    let chunks = diesel::sql_query(BUCKET_CHUNKS)
        .bind::<BigInt, _>(account_id.0)
        .bind::<Text, _>(query.agent_id().as_str())
        .bind::<BigInt, _>(start)
        .bind::<BigInt, _>(end)
        .bind::<BigInt, _>(start.saturating_sub(DAY_MICROS))
        .bind::<BigInt, _>(start - start.rem_euclid(width))
        .bind::<BigInt, _>(width);
    for chunk in chunks.load_iter::<BucketChunk, _>(connection)? {
        each(&chunk?)?;
    }
    Ok(())
}

/// Takes out of a batch what belongs into chunks that are there.
pub(super) fn take_sealed(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    sealed_before: i64,
    batch: &mut MetricBatch,
) -> Result<Vec<SealedPart>> {
    let mut parts = Vec::new();
    for (agent_id, span) in batch.spans_before(sealed_before) {
        let chunks: Vec<(i64, i64, Vec<u8>, Vec<u8>)> =
            queries::chunks_of_agent(account_id, &agent_id, span).load(connection)?;
        for (starts_at, ends_at, times, packed) in chunks {
            let samples = ChunkSamples::unpack(&times, &packed)?;
            parts.extend(SealedPart::take(batch, agent_id.clone(), starts_at..ends_at, samples));
        }
    }
    Ok(parts)
}

/// The chunks of an agent that start between two moments, both included.
pub(super) fn starting_within(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &str,
    (first, last): (i64, i64),
) -> Result<Vec<(Range<i64>, ChunkSamples)>> {
    let chunks: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = metric_chunk::table
        .filter(metric_chunk::account_id.eq(account_id.0))
        .filter(metric_chunk::agent_id.eq(agent_id))
        .filter(metric_chunk::starts_at.between(first, last))
        .select((metric_chunk::starts_at, metric_chunk::ends_at, metric_chunk::times, metric_chunk::packed))
        .load(connection)?;
    let unpack = |(starts_at, ends_at, times, packed): (i64, i64, Vec<u8>, Vec<u8>)| {
        Ok((starts_at..ends_at, ChunkSamples::unpack(&times, &packed)?))
    };
    chunks.into_iter().map(unpack).collect()
}

/// Puts chunks in the place of one, or where there is none.
pub(super) fn replace(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &str,
    starts_at: i64,
    chunks: &[(Range<i64>, PackedChunk)],
) -> Result<()> {
    diesel::delete(metric_chunk::table.find((account_id.0, agent_id, starts_at))).execute(connection)?;
    for (period, chunk) in chunks {
        let row = ChunkRow::new(account_id, agent_id, period, chunk);
        diesel::insert_into(metric_chunk::table).values(row).execute(connection)?;
    }
    Ok(())
}
