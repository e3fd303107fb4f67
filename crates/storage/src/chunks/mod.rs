//! Sealed chunks: the finished hours of an agent, each as one row of packed columns.
//!
//! A sample is in one place, in a row of `metric_sample` or in a chunk, and no row lies in the span of a chunk: what
//! comes late for that span goes into the chunk. `docs/adr/0012-sealed-chunks.md` says why.

mod append;
mod hours;
mod numbers;
mod page;
mod periods;
mod samples;

use std::ops::Range;

use astranetmon_domain::AccountId;
use diesel::prelude::*;

use crate::counts::CountDeltas;
use crate::retention::{Gathered, Goes};
use crate::schema::metric_chunk;

pub(crate) use self::append::{SealedPart, packed_parts};
pub(crate) use self::hours::{ChunkHours, HOUR_MICROS};
pub(crate) use self::page::{ChunkHead, PageMerge, span_behind_rows, span_needed};
pub(crate) use self::periods::{AgentDay, DAY_MICROS, SealedSpan, day_of};
pub(crate) use self::samples::{ChunkSamples, PackedChunk, PackedColumns, count_within, unpack_times};

/// The bytes of each line of a golden file, which are in hexadecimal.
#[cfg(test)]
fn golden_bytes(text: &str) -> Vec<Vec<u8>> {
    let byte = |line: &str, at| u8::from_str_radix(&line[at..at + 2], 16).expect("hexadecimal");
    text.lines().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

/// A chunk as a new row.
#[derive(Insertable)]
#[diesel(table_name = metric_chunk)]
pub(crate) struct ChunkRow<'a> {
    account_id: i64,
    agent_id: &'a str,
    starts_at: i64,
    ends_at: i64,
    sample_count: i64,
    first_at: i64,
    last_at: i64,
    lowest_sequence: i64,
    highest_sequence: i64,
    times: &'a [u8],
    summary: &'a [u8],
    hours: &'a [u8],
    packed: &'a [u8],
}

impl<'a> ChunkRow<'a> {
    pub(crate) fn new(account_id: AccountId, agent_id: &'a str, period: &Range<i64>, chunk: &'a PackedChunk) -> Self {
        Self {
            account_id: account_id.0,
            agent_id,
            starts_at: period.start,
            ends_at: period.end,
            sample_count: chunk.sample_count,
            first_at: chunk.first_at,
            last_at: chunk.last_at,
            lowest_sequence: chunk.lowest_sequence,
            highest_sequence: chunk.highest_sequence,
            times: &chunk.times,
            summary: &chunk.summary,
            hours: &chunk.hours,
            packed: &chunk.packed,
        }
    }
}

/// What a chunk loses: its samples before a moment.
pub(crate) struct Lost {
    /// How many.
    pub(crate) samples: u64,
    /// What is left of the chunk.
    pub(crate) left: Vec<(Range<i64>, PackedChunk)>,
}

/// Takes samples out of a chunk: into the summaries of their hours, or away.
pub(crate) fn take_out(
    agent_id: &str,
    period: Range<i64>,
    mut samples: ChunkSamples,
    goes: Goes,
    deltas: &mut CountDeltas,
    gathered: &mut Gathered,
) -> Lost {
    let lost = match goes {
        Goes::Folded { before } => samples.take_before(before),
        Goes::Away => std::mem::take(&mut samples),
    };
    for (row, &timestamp) in lost.timestamps.iter().enumerate() {
        deltas.remove(agent_id, timestamp);
        if matches!(goes, Goes::Folded { .. }) {
            gathered.push(timestamp, &lost.measured(row));
        }
    }
    Lost { samples: lost.len() as u64, left: packed_parts(period, samples) }
}
