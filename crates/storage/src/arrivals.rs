//! What came in behind a place, put together from rows and chunks.

use std::collections::BTreeSet;

use astranetmon_domain::{AgentId, MetricColumns, NULL, TimeRange, Timestamp};
use diesel::prelude::*;

use crate::StorageError;
use crate::chunks::{PackedColumns, unpack_times};
use crate::measured::Measured;
use crate::repository::{ArrivalPosition, Arrivals};
use crate::rows::RecordRow;

type Result<T> = std::result::Result<T, StorageError>;

/// Chunks that are opened at once.
pub(crate) const CHUNKS_AT_ONCE: usize = 64;
/// Chunks that one question looks at. More than this never hold samples of one moment: an account has fewer agents.
pub(crate) const MOST_CHUNKS: usize = 50_000;

/// A metric that is a row.
#[derive(Queryable)]
pub(crate) struct ArrivedRow {
    sequence: i64,
    agent_id: String,
    timestamp: i64,
    measured: Measured,
}

/// A chunk in which something came in: its key, and the lowest sequence in it.
#[derive(Clone, Debug, Queryable)]
pub(crate) struct ArrivedChunk {
    pub(crate) agent_id: String,
    pub(crate) starts_at: i64,
    pub(crate) lowest_sequence: i64,
}

/// An opened chunk.
struct Opened {
    agent_id: String,
    timestamps: Vec<i64>,
    packed: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Found {
    sequence: i64,
    /// 0 for the rows, otherwise the chunk's place in the list, from 1.
    source: usize,
    row: usize,
}

/// An answer in the making. Chunks are opened from the lowest sequence on, until what is in the rest is behind the
/// answer.
pub(crate) struct ArrivalMerge {
    range: (i64, i64),
    after: i64,
    limit: usize,
    rows: Vec<ArrivedRow>,
    opened: Vec<Opened>,
    found: Vec<Found>,
}

impl ArrivalMerge {
    /// `rows` are the first that are rows, one more than the answer may hold.
    pub(crate) fn new(range: &TimeRange, after: ArrivalPosition, limit: u32, rows: Vec<ArrivedRow>) -> Self {
        let range =
            (range.start.map_or(i64::MIN, Timestamp::as_micros), range.end.map_or(i64::MAX, Timestamp::as_micros));
        let found = rows.iter().enumerate().map(|(row, arrived)| Found { sequence: arrived.sequence, source: 0, row });
        Self { range, after: after.0, limit: limit as usize, found: found.collect(), rows, opened: Vec::new() }
    }

    /// Whether the answer needs chunks whose lowest sequence is that.
    pub(crate) fn needs(&self, lowest_sequence: i64) -> bool {
        self.found.iter().filter(|found| found.sequence < lowest_sequence).count() <= self.limit
    }

    pub(crate) fn open(&mut self, agent_id: String, times: &[u8], packed: Vec<u8>) -> Result<()> {
        let timestamps = unpack_times(times)?;
        let mut sequences = Vec::new();
        PackedColumns::read(&packed)?.sequences(&mut sequences)?;
        let source = self.opened.len() + 1;
        for (row, (&sequence, &timestamp)) in sequences.iter().zip(&timestamps).enumerate() {
            if sequence > self.after && (self.range.0..self.range.1).contains(&timestamp) {
                self.found.push(Found { sequence, source, row });
            }
        }
        self.opened.push(Opened { agent_id, timestamps, packed });
        Ok(())
    }

    /// The answer. `last` is the account's last sequence, `unopened` the lowest in any chunk that was not opened.
    pub(crate) fn finish(mut self, last: i64, unopened: Option<i64>) -> Result<Arrivals<MetricColumns>> {
        let last_row = self.rows.last().filter(|_| self.rows.len() > self.limit).map(|row| row.sequence);
        let certain = last.min(unopened.map_or(i64::MAX, |lowest| lowest - 1)).min(last_row.unwrap_or(i64::MAX));
        self.found.retain(|found| found.sequence <= certain);
        self.found.sort_unstable_by_key(|found| found.sequence);
        let until = match self.found.get(self.limit) {
            Some(_) => self.found[self.limit - 1].sequence,
            None => certain,
        };
        self.found.truncate(self.limit);
        Ok(Arrivals {
            positions: self.found.iter().map(|found| ArrivalPosition(found.sequence)).collect(),
            rows: self.columns()?,
            until: ArrivalPosition(until),
            more: until < last,
        })
    }

    fn columns(&self) -> Result<MetricColumns> {
        let agent_of = |found: &Found| match found.source.checked_sub(1) {
            Some(chunk) => self.opened[chunk].agent_id.as_str(),
            None => self.rows[found.row].agent_id.as_str(),
        };
        let names: BTreeSet<&str> = self.found.iter().map(agent_of).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let places = self.found.iter().map(|found| names.binary_search(&agent_of(found)).unwrap_or_default() as u32);
        let mut timestamps = vec![0; self.found.len()];
        let mut values = std::array::from_fn(|_| vec![NULL; self.found.len()]);
        let mut of_chunk = vec![Vec::new(); self.opened.len()];
        for (at, found) in self.found.iter().enumerate() {
            match found.source.checked_sub(1) {
                Some(chunk) => {
                    timestamps[at] = self.opened[chunk].timestamps[found.row];
                    of_chunk[chunk].push((found.row, at));
                }
                None => {
                    let row = &self.rows[found.row];
                    timestamps[at] = row.timestamp;
                    values
                        .iter_mut()
                        .zip(row.measured.0)
                        .for_each(|(column, value): (&mut Vec<i64>, _)| column[at] = value);
                }
            }
        }
        let mut unpacked = Vec::new();
        for (opened, wanted) in self.opened.iter().zip(&of_chunk).filter(|(_, wanted)| !wanted.is_empty()) {
            let columns = PackedColumns::read(&opened.packed)?;
            for (field, values) in values.iter_mut().enumerate() {
                columns.field(field, &mut unpacked)?;
                for &(row, at) in wanted {
                    values[at] = unpacked.get(row).copied().unwrap_or(NULL);
                }
            }
        }
        let agents: Option<Vec<AgentId>> = names.iter().map(|name| AgentId::parse(name).ok()).collect();
        let agents = agents.ok_or(StorageError::Internal { context: "a stored agent's id", source: None })?;
        Ok(MetricColumns::from_columns(agents, places.collect(), timestamps, values))
    }
}

/// The answer of records that are rows: `rows` are one more than it may hold, if there are so many.
pub(crate) fn of_rows<Row: RecordRow>(rows: Vec<Row>, limit: u32, last: i64) -> Result<Arrivals<Vec<Row::Record>>> {
    let limit = limit as usize;
    let until = if rows.len() > limit { rows[limit - 1].sequence() } else { last };
    let positions = rows.iter().take(limit).map(|row| ArrivalPosition(row.sequence())).collect();
    let rows = rows.into_iter().take(limit).map(Row::into_record).collect::<Result<_>>()?;
    Ok(Arrivals { rows, positions, until: ArrivalPosition(until), more: until < last })
}

/// The answer where nothing can match.
pub(crate) fn none<Rows: Default>(last: i64) -> Arrivals<Rows> {
    Arrivals { until: ArrivalPosition(last), ..Arrivals::default() }
}
