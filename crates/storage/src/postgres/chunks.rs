//! Sealed chunks: read, written, and taken apart.

use std::ops::Range;

use astranetmon_domain::{AccountId, MetricColumns, MetricPosition, PageRequest};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use super::queries;
use crate::chunks::{ChunkHead, ChunkRow, ChunkSamples, PackedChunk, PageMerge, SealedPart, span_needed};
use crate::matching::{Agents, Matching};
use crate::metric_batch::MetricBatch;
use crate::schema::metric_chunk;

type Result<T> = std::result::Result<T, Failure>;

/// Counts of hours that are asked for at first: of a usual page those that it needs.
const USUAL_HOURS: i64 = 256;

/// A page of the samples that are `rows`, or in chunks and within `span`. `None` if a chunk changed
/// between two looks at it.
pub(super) async fn add_chunks(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    rows: &MetricColumns,
    matching: &Matching,
    page: &PageRequest<MetricPosition, 10_000>,
    span: (i64, i64),
) -> Result<Option<MetricColumns>> {
    let needed = needed_of(connection, account_id, &matching.agents, span, page).await?;
    let heads: Vec<ChunkHead> = queries::chunk_heads(account_id, &matching.agents, needed).load(connection).await?;
    let most = page.limit.rows() as usize + 1;
    let mut page = PageMerge::new(rows, heads, &matching.range, page)?;
    if needed != span && page.len() < most {
        // What was counted has gone: there may be more behind it.
        return Ok(None);
    }
    let needed: Vec<(usize, ChunkHead)> = page.needed().map(|(chunk, head)| (chunk, head.clone())).collect();
    let keys = needed.iter().map(|(_, head)| (head.agent_id.as_str(), head.starts_at));
    let loaded = load_chunks(connection, account_id, keys).await?;
    if loaded.len() < needed.len() {
        return Ok(None);
    }
    for (place, times, packed) in loaded {
        let (chunk, head) = &needed[place];
        if times != head.times {
            return Ok(None);
        }
        page.fill(*chunk, &packed)?;
    }
    Ok(Some(page.finish()))
}

/// Times and columns of those of the chunks, given by agent and start, that are there, each with its place among the
/// given ones, in one statement.
pub(super) async fn load_chunks<'a>(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    keys: impl Iterator<Item = (&'a str, i64)>,
) -> Result<Vec<(usize, Vec<u8>, Vec<u8>)>> {
    let (agents, starts): (Vec<&str>, Vec<i64>) = keys.unzip();
    let (Some(&first), Some(&last)) = (starts.iter().min(), starts.iter().max()) else { return Ok(Vec::new()) };
    let chunks = ChunksByKey { account_id: account_id.0, agents, starts, first, last };
    let loaded: Vec<(i64, Vec<u8>, Vec<u8>)> = chunks.load(connection).await?;
    let place = |position: i64| usize::try_from(position - 1).unwrap_or_default();
    Ok(loaded.into_iter().map(|(position, times, packed)| (place(position), times, packed)).collect())
}

/// Chunks by their keys. The first and the last start are given once more, by which partitions are left out.
struct ChunksByKey<'a> {
    account_id: i64,
    agents: Vec<&'a str>,
    starts: Vec<i64>,
    first: i64,
    last: i64,
}

impl QueryFragment<Pg> for ChunksByKey<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT asked.position, chunk.times, chunk.packed FROM UNNEST(");
        out.push_bind_param::<Array<Text>, _>(&self.agents)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.starts)?;
        out.push_sql(
            ") WITH ORDINALITY AS asked (agent_id, starts_at, position) JOIN metric_chunk chunk \
             ON chunk.agent_id = asked.agent_id AND chunk.starts_at = asked.starts_at WHERE chunk.account_id = ",
        );
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(" AND chunk.starts_at >= ");
        out.push_bind_param::<BigInt, _>(&self.first)?;
        out.push_sql(" AND chunk.starts_at <= ");
        out.push_bind_param::<BigInt, _>(&self.last)
    }
}

impl Query for ChunksByKey<'_> {
    type SqlType = (BigInt, Binary, Binary);
}

impl QueryId for ChunksByKey<'_> {
    type QueryId = ChunksByKey<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for ChunksByKey<'_> {}

/// The part of the span in which the page lies, by the counts of its hours.
async fn needed_of(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    agents: &Agents,
    span: (i64, i64),
    page: &PageRequest<MetricPosition, 10_000>,
) -> Result<(i64, i64)> {
    for fetch in [USUAL_HOURS, i64::from(page.limit.rows()) + 2] {
        let hours: Vec<(i64, i64)> =
            queries::metric_hours(account_id, agents, span, page.order, fetch).load(connection).await?;
        let all = (hours.len() as i64) < fetch;
        if let Some(needed) = span_needed(hours, span, page) {
            return Ok(needed);
        }
        if all {
            break;
        }
    }
    Ok(span)
}

/// Takes out of a batch what belongs into chunks that are there. The account must be locked.
pub(super) async fn take_sealed(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    sealed_before: i64,
    batch: &mut MetricBatch,
) -> Result<Vec<SealedPart>> {
    let mut parts = Vec::new();
    for (agent_id, span) in batch.spans_before(sealed_before) {
        let chunks: Vec<(i64, i64, Vec<u8>, Vec<u8>)> =
            queries::chunks_of_agent(account_id, &agent_id, span).load(connection).await?;
        for (starts_at, ends_at, times, packed) in chunks {
            let samples = ChunkSamples::unpack(&times, &packed)?;
            parts.extend(SealedPart::take(batch, agent_id.clone(), starts_at..ends_at, samples));
        }
    }
    Ok(parts)
}

/// The chunks of an agent that start between two moments, both included.
pub(super) async fn starting_within(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    agent_id: &str,
    (first, last): (i64, i64),
) -> Result<Vec<(Range<i64>, ChunkSamples)>> {
    let chunks: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = metric_chunk::table
        .filter(metric_chunk::account_id.eq(account_id.0))
        .filter(metric_chunk::agent_id.eq(agent_id))
        .filter(metric_chunk::starts_at.between(first, last))
        .select((metric_chunk::starts_at, metric_chunk::ends_at, metric_chunk::times, metric_chunk::packed))
        .load(connection)
        .await?;
    let unpack = |(starts_at, ends_at, times, packed): (i64, i64, Vec<u8>, Vec<u8>)| {
        Ok((starts_at..ends_at, ChunkSamples::unpack(&times, &packed)?))
    };
    chunks.into_iter().map(unpack).collect()
}

/// Puts chunks in the place of those of a span, or where there is none. The account must be locked.
pub(super) async fn replace(
    connection: &mut AsyncPgConnection,
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
    diesel::delete(before).execute(connection).await?;
    for (period, chunk) in chunks {
        let row = ChunkRow::new(account_id, agent_id, period, chunk);
        diesel::insert_into(metric_chunk::table).values(row).execute(connection).await?;
    }
    Ok(())
}
