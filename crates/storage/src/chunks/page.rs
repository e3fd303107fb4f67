//! A page of samples, some of which are rows and some of which are in chunks.
//!
//! Rows are read first, then the times of the chunks that may hold some of the page, then the columns of those that do.
//! A sample that is sealed between the first two is seen in both places and taken once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Range;

use astranetmon_domain::{AgentId, METRIC_FIELDS, MetricColumns, MetricPosition, NULL, TimeRange, Timestamp};
use diesel::prelude::*;

use super::samples::{PackedColumns, unpack_times};
use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;

const HOUR: i64 = 3_600_000_000;

/// What is read of a chunk before it is known whether the page needs its columns.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub(crate) struct ChunkHead {
    pub(crate) agent_id: String,
    pub(crate) starts_at: i64,
    pub(crate) times: Vec<u8>,
}

/// Samples of the page that lie behind one another in one source too: rows, whose order is that of the page, or a chunk,
/// whose order is the other way round.
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
}

/// What is left of a source while the page is put in order: its samples, newest first.
struct Source<'a> {
    times: Times<'a>,
    /// Rows that are left: of rows the first, of a chunk the last is the next.
    left: Range<usize>,
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

/// Where a sample stands in the page, the first being the greatest: newest first, then by agent, then rows before chunks,
/// of which the copy is left out.
type Standing = (i64, Reverse<u32>, bool);

impl Source<'_> {
    fn next(&self) -> Option<(usize, Standing)> {
        match &self.times {
            Times::Rows { times, agents } => {
                let row = self.left.start;
                (row < self.left.end).then(|| (row, (times[row], Reverse(agents[row]), true)))
            }
            Times::Chunk { times, agent } => {
                let row = self.left.end.checked_sub(1).filter(|row| *row >= self.left.start)?;
                Some((row, (times[row], Reverse(*agent), false)))
            }
        }
    }

    fn pass(&mut self) {
        match self.times {
            Times::Rows { .. } => self.left.start += 1,
            Times::Chunk { .. } => self.left.end -= 1,
        }
    }
}

impl PageMerge {
    /// Chooses at most `most` samples among `rows`, which hold at least as many of the newest that are rows, and the
    /// chunks.
    pub(crate) fn new(
        rows: &MetricColumns,
        heads: Vec<ChunkHead>,
        range: &TimeRange,
        after: Option<&MetricPosition>,
        most: usize,
    ) -> Result<Self> {
        let names: BTreeSet<&str> =
            rows.agents().iter().map(AgentId::as_str).chain(heads.iter().map(|head| head.agent_id.as_str())).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let rank = |name: &str| names.binary_search(&name).map_or(u32::MAX, |rank| rank as u32);
        let ranks: Vec<u32> = rows.agents().iter().map(|agent| rank(agent.as_str())).collect();
        let row_agents: Vec<u32> = rows.agent_indexes().iter().map(|&agent| ranks[agent as usize]).collect();
        let times = Times::Rows { times: rows.timestamps(), agents: &row_agents };
        let mut sources = vec![Source { times, left: 0..rows.len(), chunk: None }];
        let start = range.start.map_or(i64::MIN, Timestamp::as_micros);
        let end = range.end.map_or(i64::MAX, Timestamp::as_micros);
        for (chunk, head) in heads.iter().enumerate() {
            // What is before the end of the page before, or at that moment, by an agent behind its last.
            let end = match after {
                Some(after) if after.agent_id.as_str() < head.agent_id.as_str() => after.timestamp.as_micros() + 1,
                Some(after) => after.timestamp.as_micros(),
                None => i64::MAX,
            }
            .min(end);
            let times = unpack_times(&head.times)?;
            let left = times.partition_point(|&at| at < start)..times.partition_point(|&at| at < end);
            sources.push(Source {
                times: Times::Chunk { times, agent: rank(&head.agent_id) },
                left,
                chunk: Some(chunk),
            });
        }
        let mut page = Self {
            agents: Vec::new(),
            agent_indexes: Vec::with_capacity(most),
            timestamps: Vec::with_capacity(most),
            values: std::array::from_fn(|_| Vec::new()),
            of_chunk: vec![Vec::new(); heads.len()],
            heads: Vec::new(),
        };
        let of_rows = page.merge(sources, most);
        let agents: Option<Vec<AgentId>> = names.iter().map(|name| AgentId::parse(name).ok()).collect();
        page.agents = agents.ok_or(StorageError::Internal { context: "a chunk's agent", source: None })?;
        page.values = std::array::from_fn(|_| vec![NULL; page.timestamps.len()]);
        for (column, stored) in page.values.iter_mut().zip(rows.values()) {
            for run in &of_rows {
                column[run.at..run.at + run.count].copy_from_slice(&stored[run.row..run.row + run.count]);
            }
        }
        page.heads = heads;
        Ok(page)
    }

    /// Puts the first `most` samples of the sources in order; those that are rows are given back.
    fn merge(&mut self, mut sources: Vec<Source<'_>>, most: usize) -> Vec<Run> {
        let mut of_rows: Vec<Run> = Vec::new();
        let standing = |sources: &[Source<'_>], source: usize| sources[source].next().map(|(_, next)| (next, source));
        let mut waiting: BinaryHeap<(Standing, usize)> =
            (0..sources.len()).filter_map(|source| standing(&sources, source)).collect();
        while let Some((_, source)) = waiting.pop() {
            // On from the same source, for as long as it has the first of all.
            while let Some((row, next)) = sources[source].next() {
                if waiting.peek().is_some_and(|(first, _)| *first > next) {
                    waiting.push((next, source));
                    break;
                }
                sources[source].pass();
                let (timestamp, Reverse(agent), _) = next;
                let at = self.timestamps.len();
                if self.timestamps.last() == Some(&timestamp) && self.agent_indexes.last() == Some(&agent) {
                    continue;
                }
                if at == most {
                    return of_rows;
                }
                self.timestamps.push(timestamp);
                self.agent_indexes.push(agent);
                let chunk = sources[source].chunk;
                let runs = chunk.map_or(&mut of_rows, |chunk| &mut self.of_chunk[chunk]);
                match runs.last_mut() {
                    Some(run)
                        if run.at + run.count == at
                            && row
                                == if chunk.is_some() {
                                    run.row.wrapping_sub(run.count)
                                } else {
                                    run.row + run.count
                                } =>
                    {
                        run.count += 1;
                    }
                    _ => runs.push(Run { at, row, count: 1 }),
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
        // Runs go from the newest to the oldest.
        let (Some(newest), Some(oldest)) = (runs.first(), runs.last()) else { return Ok(()) };
        let within = (oldest.row + 1).saturating_sub(oldest.count)..newest.row + 1;
        let mut unpacked = Vec::new();
        for (field, values) in self.values.iter_mut().enumerate() {
            columns.field_within(field, within.clone(), &mut unpacked)?;
            for run in runs {
                let stored = unpacked.get((run.row + 1).saturating_sub(run.count)..run.row + 1).unwrap_or_default();
                let shown = &mut values[run.at..run.at + run.count];
                shown.iter_mut().zip(stored.iter().rev()).for_each(|(shown, stored)| *shown = *stored);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> MetricColumns {
        MetricColumns::from_columns(self.agents, self.agent_indexes, self.timestamps, self.values)
    }
}

/// The start of the hour from which on `needed` samples lie before `end`; `hours` are counts by the start of their
/// hour, newest first. `None` if there are fewer.
pub(crate) fn oldest_hour_needed(hours: impl IntoIterator<Item = (i64, i64)>, end: i64, needed: i64) -> Option<i64> {
    let mut found = 0;
    for (start, count) in hours {
        // Nobody knows how many of the last hour lie before its part.
        if start <= end.saturating_sub(HOUR) {
            found += count;
        }
        if found >= needed {
            return Some(start);
        }
    }
    None
}

/// The moments between which chunks may hold some of a page, if there are any: `rows` are the newest that are rows, at
/// most `most`, and no chunk ends behind `sealed_before`, as it was read behind the rows.
pub(crate) fn span_behind_rows(
    rows: &MetricColumns,
    range: &TimeRange,
    after: Option<&MetricPosition>,
    most: usize,
    sealed_before: i64,
) -> Option<(i64, i64)> {
    let oldest_row = if rows.len() < most { i64::MIN } else { rows.timestamps().last().copied().unwrap_or(i64::MIN) };
    let from = range.start.map_or(i64::MIN, Timestamp::as_micros).max(oldest_row);
    let end = range.end.map_or(i64::MAX, Timestamp::as_micros);
    let to = after.map_or(end, |after| end.min(after.timestamp.as_micros() + 1)).min(sealed_before);
    (from < to).then_some((from, to))
}
