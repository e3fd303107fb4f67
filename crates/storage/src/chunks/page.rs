//! A page of samples, some of which are rows and some of which are in chunks.
//!
//! Rows are read first, then the times of the chunks that may hold some of the page, then the columns of those that do.
//! A sample that is sealed between the first two is seen in both places and taken once.

use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Range;

use astranetmon_domain::{
    AgentId, METRIC_FIELDS, MetricColumns, MetricPosition, NULL, Order, PageRequest, TimeRange, Timestamp,
};
use diesel::prelude::*;

use super::hours::HOUR_MICROS;
use super::samples::{PackedColumns, unpack_times};
use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;
/// A page of metrics as it is asked for; one sample more is looked for, to know whether it is the last.
type Page = PageRequest<MetricPosition, 10_000>;

/// The most samples that are looked for.
const fn most(page: &Page) -> usize {
    page.limit.rows() as usize + 1
}

/// What is read of a chunk before it is known whether the page needs its columns.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub(crate) struct ChunkHead {
    pub(crate) agent_id: String,
    pub(crate) starts_at: i64,
    pub(crate) times: Vec<u8>,
}

/// Samples of the page that lie side by side in one source too: rows, whose order is that of the page, or a chunk, whose
/// order is the other way round if the page begins with the newest.
#[derive(Clone, Copy)]
struct Run {
    /// Of the page.
    at: usize,
    /// Of the source: the first of the page.
    row: usize,
    count: usize,
}

/// A page in the making.
pub(crate) struct PageMerge {
    heads: Vec<ChunkHead>,
    agents: Vec<AgentId>,
    agent_indexes: Vec<u32>,
    timestamps: Vec<i64>,
    values: [Vec<i64>; METRIC_FIELDS.len()],
    of_chunk: Vec<Vec<Run>>,
    order: Order,
}

/// What is left of a source while the page is put in order.
struct Source<'a> {
    times: Times<'a>,
    /// Samples that are left. The next is the first, or the last if they come from the end.
    left: Range<usize>,
    from_end: bool,
    /// The chunk's place in the list.
    chunk: Option<usize>,
}

enum Times<'a> {
    /// Of all rows, with the places of their agents in the order of ids.
    Rows {
        times: &'a [i64],
        agents: &'a [u32],
    },
    Chunk {
        times: Vec<i64>,
        agent: u32,
    },
}

/// A sample of a source.
#[derive(Clone, Copy)]
struct Next {
    row: usize,
    timestamp: i64,
    agent: u32,
}

/// Where a sample stands in the page, the first being the greatest: by time, then by agent, then rows before chunks, of
/// which the copy is left out.
type Standing = (i64, i64, bool);

impl Source<'_> {
    fn next(&self) -> Option<Next> {
        if self.left.start >= self.left.end {
            return None;
        }
        let row = if self.from_end { self.left.end - 1 } else { self.left.start };
        Some(match &self.times {
            Times::Rows { times, agents } => Next { row, timestamp: times[row], agent: agents[row] },
            Times::Chunk { times, agent } => Next { row, timestamp: times[row], agent: *agent },
        })
    }

    fn pass(&mut self) {
        if self.from_end {
            self.left.end -= 1;
        } else {
            self.left.start += 1;
        }
    }

    fn standing(&self, next: Next, order: Order) -> Standing {
        let (at, agent, is_row) = (next.timestamp, i64::from(next.agent), self.chunk.is_none());
        match order {
            Order::NewestFirst => (at, !agent, is_row),
            Order::OldestFirst => (!at, agent, is_row),
        }
    }
}

impl PageMerge {
    /// Chooses the samples of a page among `rows`, which are the first of the page that are rows, and the chunks.
    pub(crate) fn new(rows: &MetricColumns, heads: Vec<ChunkHead>, range: &TimeRange, page: &Page) -> Result<Self> {
        let names: BTreeSet<&str> =
            rows.agents().iter().map(AgentId::as_str).chain(heads.iter().map(|head| head.agent_id.as_str())).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let rank = |name: &str| names.binary_search(&name).map_or(u32::MAX, |rank| rank as u32);
        let ranks: Vec<u32> = rows.agents().iter().map(|agent| rank(agent.as_str())).collect();
        let row_agents: Vec<u32> = rows.agent_indexes().iter().map(|&agent| ranks[agent as usize]).collect();
        let times = Times::Rows { times: rows.timestamps(), agents: &row_agents };
        let mut sources = vec![Source { times, left: 0..rows.len(), from_end: false, chunk: None }];
        for (chunk, head) in heads.iter().enumerate() {
            let (from, to) = behind(page, &head.agent_id, range);
            let times = unpack_times(&head.times)?;
            let left = times.partition_point(|&at| at < from)..times.partition_point(|&at| at < to);
            sources.push(Source {
                times: Times::Chunk { times, agent: rank(&head.agent_id) },
                left,
                from_end: page.order == Order::NewestFirst,
                chunk: Some(chunk),
            });
        }
        let mut merge = Self {
            agents: Vec::new(),
            agent_indexes: Vec::with_capacity(most(page)),
            timestamps: Vec::with_capacity(most(page)),
            values: std::array::from_fn(|_| Vec::new()),
            of_chunk: vec![Vec::new(); heads.len()],
            heads: Vec::new(),
            order: page.order,
        };
        let of_rows = merge.merge(sources, most(page));
        let agents: Option<Vec<AgentId>> = names.iter().map(|name| AgentId::parse(name).ok()).collect();
        merge.agents = agents.ok_or(StorageError::Internal { context: "a chunk's agent", source: None })?;
        merge.values = std::array::from_fn(|_| vec![NULL; merge.timestamps.len()]);
        for (column, stored) in merge.values.iter_mut().zip(rows.values()) {
            for run in &of_rows {
                column[run.at..run.at + run.count].copy_from_slice(&stored[run.row..run.row + run.count]);
            }
        }
        merge.heads = heads;
        Ok(merge)
    }

    /// Puts the first `most` samples of the sources in order; those that are rows are given back.
    fn merge(&mut self, mut sources: Vec<Source<'_>>, most: usize) -> Vec<Run> {
        let mut of_rows: Vec<Run> = Vec::new();
        let mut waiting: BinaryHeap<(Standing, usize)> = sources
            .iter()
            .enumerate()
            .filter_map(|(place, source)| Some((source.standing(source.next()?, self.order), place)))
            .collect();
        while let Some((_, place)) = waiting.pop() {
            // On from the same source, for as long as it has the first of all.
            while let Some(next) = sources[place].next() {
                let source = &mut sources[place];
                let standing = source.standing(next, self.order);
                if waiting.peek().is_some_and(|(first, _)| *first > standing) {
                    waiting.push((standing, place));
                    break;
                }
                source.pass();
                let at = self.timestamps.len();
                if self.timestamps.last() == Some(&next.timestamp) && self.agent_indexes.last() == Some(&next.agent) {
                    continue;
                }
                if at == most {
                    return of_rows;
                }
                self.timestamps.push(next.timestamp);
                self.agent_indexes.push(next.agent);
                let runs = source.chunk.map_or(&mut of_rows, |chunk| &mut self.of_chunk[chunk]);
                let goes_on = |run: &Run| {
                    let row = if source.from_end { run.row.wrapping_sub(run.count) } else { run.row + run.count };
                    run.at + run.count == at && row == next.row
                };
                match runs.last_mut() {
                    Some(run) if goes_on(run) => run.count += 1,
                    _ => runs.push(Run { at, row: next.row, count: 1 }),
                }
            }
        }
        of_rows
    }

    /// Samples of the page.
    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// The chunks whose columns the page needs.
    pub(crate) fn needed(&self) -> impl Iterator<Item = (usize, &ChunkHead)> {
        self.heads.iter().enumerate().filter(|(chunk, _)| !self.of_chunk[*chunk].is_empty())
    }

    /// Takes from the columns of a needed chunk what the page shows.
    pub(crate) fn fill(&mut self, chunk: usize, packed: &[u8]) -> Result<()> {
        let columns = PackedColumns::read(packed)?;
        let runs = &self.of_chunk[chunk];
        let from_end = self.order == Order::NewestFirst;
        let rows = |run: &Run| match from_end {
            true => (run.row + 1).saturating_sub(run.count)..run.row + 1,
            false => run.row..run.row + run.count,
        };
        let (Some(one), Some(other)) = (runs.first().map(rows), runs.last().map(rows)) else { return Ok(()) };
        let within = one.start.min(other.start)..one.end.max(other.end);
        let mut unpacked = Vec::new();
        for (field, values) in self.values.iter_mut().enumerate() {
            columns.field_within(field, within.clone(), &mut unpacked)?;
            for run in runs {
                let stored = unpacked.get(rows(run)).unwrap_or_default();
                let shown = &mut values[run.at..run.at + run.count];
                if from_end {
                    shown.iter_mut().zip(stored.iter().rev()).for_each(|(shown, stored)| *shown = *stored);
                } else {
                    shown.iter_mut().zip(stored).for_each(|(shown, stored)| *shown = *stored);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> MetricColumns {
        MetricColumns::from_columns(self.agents, self.agent_indexes, self.timestamps, self.values)
    }
}

/// The moments between which an agent's samples of the page lie, in microseconds.
fn behind(page: &Page, agent_id: &str, range: &TimeRange) -> (i64, i64) {
    let start = range.start.map_or(i64::MIN, Timestamp::as_micros);
    let end = range.end.map_or(i64::MAX, Timestamp::as_micros);
    let Some(after) = &page.after else { return (start, end) };
    // Of the moment at which the page before ended, the agents behind its last are left.
    let (at, last) = (after.timestamp.as_micros(), after.agent_id.as_str());
    match page.order {
        Order::NewestFirst => (start, end.min(at + i64::from(agent_id > last))),
        Order::OldestFirst => (start.max(at + i64::from(agent_id >= last)), end),
    }
}

/// The part of a span in which the first `page` of it lies, by counts of samples by the start of their hour, which come in
/// the order of the page. All of it if there are fewer.
pub(crate) fn span_needed(
    hours: impl IntoIterator<Item = (i64, i64)>,
    (from, to): (i64, i64),
    page: &Page,
) -> Option<(i64, i64)> {
    // Some of the moment at which the page before ended may have been on it.
    let from_whole = from + i64::from(page.order == Order::OldestFirst && page.after.is_some());
    let mut found = 0;
    for (start, count) in hours {
        // Nobody knows how many of an hour lie in its part.
        if start >= from_whole && start <= to.saturating_sub(HOUR_MICROS) {
            found += count;
        }
        if found >= most(page) as i64 {
            return Some(match page.order {
                Order::NewestFirst => (start.max(from), to),
                Order::OldestFirst => (from, to.min(start + HOUR_MICROS)),
            });
        }
    }
    None
}

/// The moments between which chunks may hold some of a page, if there are any: `rows` are the first that are rows, and no
/// chunk ends behind `sealed_before`, as it was read behind the rows.
pub(crate) fn span_behind_rows(
    rows: &MetricColumns,
    range: &TimeRange,
    page: &Page,
    sealed_before: i64,
) -> Option<(i64, i64)> {
    let start = range.start.map_or(i64::MIN, Timestamp::as_micros);
    let end = range.end.map_or(i64::MAX, Timestamp::as_micros).min(sealed_before);
    let last_row = rows.timestamps().last().filter(|_| rows.len() == most(page)).copied();
    let after = page.after.as_ref().map(|after| after.timestamp.as_micros());
    let (from, to) = match page.order {
        Order::NewestFirst => {
            (start.max(last_row.unwrap_or(i64::MIN)), end.min(after.map_or(i64::MAX, |after| after + 1)))
        }
        Order::OldestFirst => {
            (start.max(after.unwrap_or(i64::MIN)), end.min(last_row.map_or(i64::MAX, |last| last + 1)))
        }
    };
    (from < to).then_some((from, to))
}
