//! Samples that come late go into the chunk of their time.

use std::ops::Range;

use super::periods::divided;
use super::samples::{ChunkSamples, PackedChunk};
use crate::metric_batch::{BatchSample, MetricBatch, Tally};

/// A chunk, and what is to go into it.
pub(crate) struct SealedPart {
    pub(crate) agent_id: String,
    pub(crate) period: Range<i64>,
    samples: ChunkSamples,
    given: Vec<BatchSample>,
}

impl SealedPart {
    /// Takes out of the batch what belongs into the chunk of `period`; `None` if nothing does.
    pub(crate) fn take(
        batch: &mut MetricBatch,
        agent_id: String,
        period: Range<i64>,
        samples: ChunkSamples,
    ) -> Option<Self> {
        let belongs = |given: &mut BatchSample| given.agent_id() == agent_id && period.contains(&given.timestamp());
        let given: Vec<BatchSample> = batch.samples.extract_if(.., belongs).collect();
        (!given.is_empty()).then_some(Self { agent_id, period, samples, given })
    }

    /// Samples that are to go into it.
    pub(crate) fn given(&self) -> usize {
        self.given.len()
    }

    /// Puts them there, each with its ingestion sequence, counted from `first`. What is to be stored in the chunk's
    /// place, if anything has changed.
    pub(crate) fn merge<'a>(
        &'a mut self,
        first: i64,
        received_at: i64,
        tally: &mut Tally<'a>,
    ) -> Option<Vec<(Range<i64>, PackedChunk)>> {
        let mut changed = false;
        for (given, sequence) in self.given.iter().zip(first..) {
            match self.samples.timestamps.binary_search(&given.timestamp()) {
                Err(row) => {
                    self.samples.insert(row, given.timestamp(), sequence, received_at, &given.measured);
                    tally.inserted(given);
                    changed = true;
                }
                Ok(row) => {
                    let mut measured = self.samples.measured(row);
                    if measured.fill_from(&given.measured) {
                        self.samples.set_measured(row, &measured);
                        self.samples.sequences[row] = sequence;
                        tally.filled(given);
                        changed = true;
                    } else {
                        tally.known(given);
                    }
                }
            }
        }
        changed.then(|| packed_parts(self.period.clone(), std::mem::take(&mut self.samples)))
    }
}

/// The samples of a period as chunks: one, or several shorter ones if they are too many.
pub(crate) fn packed_parts(period: Range<i64>, mut samples: ChunkSamples) -> Vec<(Range<i64>, PackedChunk)> {
    match divided(&period, samples.len()) {
        None => samples.pack().map(|packed| (period, packed)).into_iter().collect(),
        Some(parts) => parts
            .into_iter()
            .flat_map(|part| {
                let within = samples.take_before(part.end);
                packed_parts(part, within)
            })
            .collect(),
    }
}
