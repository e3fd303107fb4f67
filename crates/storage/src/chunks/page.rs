//! A page of samples, some of which are rows and some of which are in chunks.
//!
//! Rows are read first, then the times of the chunks that may hold some of the page, then the columns of those that do.
//! A sample that is sealed between the first two is seen in both places and taken once.

use std::collections::BTreeSet;

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

/// One sample of the page: where it is.
#[derive(Clone, Copy)]
struct Place {
    timestamp: i64,
    /// The agent's place in the order of ids.
    agent: u32,
    /// 0 for the rows, otherwise the chunk's place in the list, from 1.
    source: u32,
    row: u32,
}

/// A page in the making.
pub(crate) struct PageMerge {
    /// The samples of the page, in its order.
    places: Vec<Place>,
    heads: Vec<ChunkHead>,
    agents: Vec<AgentId>,
    values: [Vec<i64>; METRIC_FIELDS.len()],
    /// Rows of the page by chunk: row of the chunk, row of the page.
    of_chunk: Vec<Vec<(usize, usize)>>,
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
        let mut places: Vec<Place> = Vec::with_capacity(2 * most);
        for (row, (&timestamp, &agent)) in (0..).zip(rows.timestamps().iter().zip(rows.agent_indexes())) {
            places.push(Place { timestamp, agent: ranks[agent as usize], source: 0, row });
        }
        let start = range.start.map_or(i64::MIN, Timestamp::as_micros);
        let end = range.end.map_or(i64::MAX, Timestamp::as_micros);
        for (source, head) in (1..).zip(&heads) {
            let agent = rank(&head.agent_id);
            // What is before the end of the page before, or at that moment, by an agent behind its last.
            let end = match after {
                Some(after) if after.agent_id.as_str() < head.agent_id.as_str() => after.timestamp.as_micros() + 1,
                Some(after) => after.timestamp.as_micros(),
                None => i64::MAX,
            }
            .min(end);
            let times = unpack_times(&head.times)?;
            let within = times.partition_point(|&at| at < start)..times.partition_point(|&at| at < end);
            places.extend(within.rev().map(|row| Place { timestamp: times[row], agent, source, row: row as u32 }));
        }
        let order = |place: &Place| (std::cmp::Reverse(place.timestamp), place.agent, std::cmp::Reverse(place.source));
        let enough = most + rows.len();
        if places.len() > 4 * enough {
            places.select_nth_unstable_by_key(enough, order);
            places.truncate(enough);
        }
        places.sort_by_key(order);
        places.dedup_by_key(|place| (place.timestamp, place.agent));
        places.truncate(most);
        let agents: Option<Vec<AgentId>> = names.iter().map(|name| AgentId::parse(name).ok()).collect();
        let agents = agents.ok_or(StorageError::Internal { context: "a chunk's agent", source: None })?;
        let mut values = std::array::from_fn(|_| vec![NULL; places.len()]);
        let mut of_chunk = vec![Vec::new(); heads.len()];
        for (at, place) in places.iter().enumerate() {
            match (place.source as usize).checked_sub(1) {
                Some(chunk) => of_chunk[chunk].push((place.row as usize, at)),
                None => {
                    for (column, rows) in values.iter_mut().zip(rows.values()) {
                        column[at] = rows[place.row as usize];
                    }
                }
            }
        }
        Ok(Self { places, heads, agents, values, of_chunk })
    }

    /// Samples of the page.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The chunks whose columns the page needs.
    pub(crate) fn needed(&self) -> impl Iterator<Item = (usize, &ChunkHead)> {
        self.heads.iter().enumerate().filter(|(chunk, _)| !self.of_chunk[*chunk].is_empty())
    }

    /// Takes from the columns of a needed chunk what the page shows.
    pub(crate) fn fill(&mut self, chunk: usize, packed: &[u8]) -> Result<()> {
        let columns = PackedColumns::read(packed)?;
        let mut unpacked = Vec::new();
        for (field, values) in self.values.iter_mut().enumerate() {
            columns.field(field, &mut unpacked)?;
            for &(row, at) in &self.of_chunk[chunk] {
                values[at] = unpacked.get(row).copied().unwrap_or(NULL);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> MetricColumns {
        let timestamps = self.places.iter().map(|place| place.timestamp).collect();
        let agents = self.places.iter().map(|place| place.agent).collect();
        MetricColumns::from_columns(self.agents, agents, timestamps, self.values)
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
