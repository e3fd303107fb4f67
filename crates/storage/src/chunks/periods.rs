//! Which spans of time are sealed as one chunk.
//!
//! A chunk is an hour, four hours or a day of UTC: the shortest that holds [`LEAST_SAMPLES`]. Chunks of an agent never
//! overlap: where an hour is a chunk of its own, so are the hours beside it, however few samples they hold.

use std::ops::Range;

const HOUR: i64 = 3_600_000_000;
const HOURS: usize = 24;
const BLOCK_HOURS: usize = 4;
/// A day in microseconds.
pub(crate) const DAY_MICROS: i64 = 24 * HOUR;
/// Enough samples for a chunk.
const LEAST_SAMPLES: u64 = 256;
/// So many samples of one span stay rows: to seal them would take too long at once.
const MOST_SEALED: u64 = 50_000;
/// A longer chunk that has grown beyond this, by samples that came late, is divided.
const MOST_SAMPLES: usize = 4_096;

/// A day of one agent.
#[derive(Debug)]
pub(crate) struct AgentDay {
    /// Its first moment, in microseconds.
    pub(crate) start: i64,
    /// Samples in rows, by hour.
    pub(crate) samples: [u64; HOURS],
    /// Chunks that are there.
    pub(crate) chunks: Vec<Range<i64>>,
}

impl AgentDay {
    /// The next span to be sealed, given that nothing from `finished_before` on is finished.
    pub(crate) fn next_period(&self, finished_before: i64) -> Option<Range<i64>> {
        let span = |hours: Range<usize>| self.start + HOUR * hours.start as i64..self.start + HOUR * hours.end as i64;
        let is_finished = |hours: &Range<usize>| span(hours.clone()).end <= finished_before;
        let count = |hours: &Range<usize>| self.samples[hours.clone()].iter().sum::<u64>();
        let holds_chunks = |hours: &Range<usize>| {
            let span = span(hours.clone());
            self.chunks.iter().any(|chunk| chunk.start < span.end && span.start < chunk.end)
        };
        let is_sealable = |count| (1..=MOST_SEALED).contains(&count);
        let mut waiting = None;
        for first in (0..HOURS).step_by(BLOCK_HOURS) {
            let block = first..first + BLOCK_HOURS;
            let hours = || {
                block.clone().map(|hour| hour..hour + 1).filter(|hour| is_finished(hour) && is_sealable(count(hour)))
            };
            if let Some(full) = hours().find(|hour| count(hour) >= LEAST_SAMPLES) {
                return Some(span(full));
            }
            if !is_finished(&block) {
                continue;
            }
            if holds_chunks(&block) {
                if let Some(hour) = hours().next() {
                    return Some(span(hour));
                }
                continue;
            }
            if !is_sealable(count(&block)) {
                continue;
            }
            if count(&block) >= LEAST_SAMPLES {
                return Some(span(block));
            }
            waiting = waiting.or(Some(block));
        }
        let day = 0..HOURS;
        if !is_finished(&day) {
            return None;
        }
        if holds_chunks(&day) { waiting.map(span) } else { is_sealable(count(&day)).then(|| span(day)) }
    }
}

/// The first moment of the day of that moment.
pub(crate) const fn day_of(micros: i64) -> i64 {
    micros - micros.rem_euclid(DAY_MICROS)
}

/// What a chunk of `samples` samples is divided into: itself, if it is not too large.
pub(crate) fn divided(period: &Range<i64>, samples: usize) -> Option<Vec<Range<i64>>> {
    let length = period.end - period.start;
    let part = if length == DAY_MICROS { BLOCK_HOURS as i64 * HOUR } else { HOUR };
    (samples > MOST_SAMPLES && part < length).then(|| {
        let parts = (0..length / part).map(|number| period.start + number * part);
        parts.map(|start| start..start + part).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seals until nothing is left to seal, as the job does.
    fn seal(mut samples: [u64; HOURS], hours_finished: i64) -> (Vec<(i64, i64)>, u64) {
        let start = 20_000 * DAY_MICROS;
        let mut chunks: Vec<Range<i64>> = Vec::new();
        while let Some(period) =
            (AgentDay { start, samples, chunks: chunks.clone() }).next_period(start + hours_finished * HOUR)
        {
            assert!(chunks.iter().all(|chunk| chunk.end <= period.start || period.end <= chunk.start), "{period:?}");
            for hour in (period.start - start) / HOUR..(period.end - start) / HOUR {
                samples[hour as usize] = 0;
            }
            chunks.push(period);
        }
        let mut hours: Vec<_> =
            chunks.iter().map(|chunk| ((chunk.start - start) / HOUR, (chunk.end - start) / HOUR)).collect();
        hours.sort_unstable();
        (hours, samples.iter().sum())
    }

    #[test]
    fn a_chunk_is_the_shortest_span_that_holds_enough() {
        let hours = |of: fn(usize) -> u64| std::array::from_fn(of);
        let blocks = vec![(0, 4), (4, 8), (8, 12), (12, 16), (16, 20), (20, 24)];
        for (what, samples, finished, chunks, left) in [
            ("every ten seconds", hours(|_| 360), 24, (0..24).map(|hour| (hour, hour + 1)).collect(), 0),
            ("so far", hours(|_| 360), 3, vec![(0, 1), (1, 2), (2, 3)], 21 * 360),
            ("every thirty seconds", hours(|_| 120), 24, blocks.clone(), 0),
            ("so far", hours(|_| 120), 7, vec![(0, 4)], 20 * 120),
            ("every minute", hours(|_| 60), 24, vec![(0, 24)], 0),
            ("so far", hours(|_| 60), 23, vec![], 24 * 60),
            ("every hour", hours(|_| 1), 24, vec![(0, 24)], 0),
            ("never", hours(|_| 0), 24, vec![], 0),
            (
                "more often than can be sealed",
                hours(|hour| if hour == 0 { 50_001 } else { 300 }),
                2,
                vec![(1, 2)],
                50_001 + 22 * 300,
            ),
            (
                "for an hour only",
                hours(|hour| if hour == 5 { 360 } else { 1 }),
                24,
                vec![(0, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 12), (12, 16), (16, 20), (20, 24)],
                0,
            ),
        ] {
            assert_eq!(seal(samples, finished), (chunks, left), "{what}");
        }
    }

    #[test]
    fn a_chunk_that_has_grown_is_divided_down_to_hours() {
        let day = DAY_MICROS..2 * DAY_MICROS;
        assert_eq!(divided(&day, 4_096), None);
        let blocks = divided(&day, 4_097).expect("divided");
        assert_eq!((blocks.len(), blocks[5].end), (6, 2 * DAY_MICROS));
        let hours = divided(&blocks[1], 100_000).expect("divided");
        assert_eq!((hours.len(), hours[0].start), (4, blocks[1].start));
        assert_eq!(divided(&hours[0], 100_000), None);
    }
}
