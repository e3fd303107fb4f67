//! Sealed chunks: read, written, and taken apart.

use std::ops::Range;

use astranetmon_domain::{AccountId, MetricColumns, MetricPosition, PageRequest};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::{Result, queries};
use crate::chunks::{ChunkHead, ChunkRow, ChunkSamples, PackedChunk, PageMerge, SealedPart, count_within, span_needed};
use crate::matching::{Agents, Matching};
use crate::metric_batch::MetricBatch;
use crate::schema::{account, metric_chunk};

/// The end of the account's latest chunk, in microseconds.
pub(super) fn sealed_before(connection: &mut SqliteConnection, account_id: AccountId) -> Result<i64> {
    let sealed = account::table.find(account_id.0).select(account::sealed_before).first(connection).optional()?;
    Ok(sealed.unwrap_or(i64::MIN))
}

/// A page of the samples that are `rows`, or in chunks and within `span`.
pub(super) fn add_chunks(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    rows: &MetricColumns,
    matching: &Matching,
    page: &PageRequest<MetricPosition, 10_000>,
    span: (i64, i64),
) -> Result<MetricColumns> {
    let most = i64::from(page.limit.rows()) + 1;
    let hours = queries::metric_hours(account_id, &matching.agents, span, page.order, most + 1);
    let hours = hours.load_iter::<(i64, i64), _>(connection)?.map_while(std::result::Result::ok);
    let span = span_needed(hours, span, page).unwrap_or(span);
    let heads = queries::chunk_heads(account_id, &matching.agents, span).load(connection)?;
    let mut page = PageMerge::new(rows, heads, &matching.range, page)?;
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
    agents: &Agents,
    span: (i64, i64),
) -> Result<i64> {
    let mut count = 0;
    for head in queries::chunk_heads(account_id, agents, span).load_iter::<ChunkHead, _>(connection)? {
        count += count_within(&head?.times, span)?;
    }
    Ok(count)
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

/// Puts chunks in the place of those of a span, or where there is none.
pub(super) fn replace(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &str,
    span: &Range<i64>,
    chunks: &[(Range<i64>, PackedChunk)],
) -> Result<()> {
    let before = metric_chunk::table
        .filter(metric_chunk::account_id.eq(account_id.0))
        .filter(metric_chunk::agent_id.eq(agent_id))
        .filter(metric_chunk::starts_at.ge(span.start))
        .filter(metric_chunk::starts_at.lt(span.end));
    diesel::delete(before).execute(connection)?;
    for (period, chunk) in chunks {
        let row = ChunkRow::new(account_id, agent_id, period, chunk);
        diesel::insert_into(metric_chunk::table).values(row).execute(connection)?;
    }
    Ok(())
}
