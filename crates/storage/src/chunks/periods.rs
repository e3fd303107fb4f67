//! Which spans of time are sealed as one chunk.
//!
//! A chunk is an hour, four hours or a day of UTC: the shortest that holds [`LEAST_SAMPLES`]. What is finished does not
//! wait for the rest of its day: with [`LEAST_EARLY`] samples it is sealed for the time being, and goes into the longer
//! chunk when that is finished. Chunks of an agent never overlap: where an hour is a chunk of its own for good, so are
//! the hours beside it, however few samples they hold.

use std::ops::Range;

use super::hours::HOUR_MICROS;

const HOURS: usize = 24;
const BLOCK_HOURS: usize = 4;
/// A day in microseconds.
pub(crate) const DAY_MICROS: i64 = 24 * HOUR_MICROS;
/// Enough samples for a chunk.
const LEAST_SAMPLES: u64 = 256;
/// Enough samples for a chunk until a longer span is finished.
const LEAST_EARLY: u64 = 48;
/// So many samples of one span stay rows: to seal them would take too long at once.
const MOST_SEALED: u64 = 50_000;
/// A longer chunk that has grown beyond this, by samples that came late, is divided.
const MOST_SAMPLES: usize = 4_096;

/// A chunk that is there.
#[derive(Clone, Debug)]
pub(crate) struct SealedSpan {
    pub(crate) span: Range<i64>,
    pub(crate) samples: u64,
}

/// A day of one agent.
#[derive(Debug)]
pub(crate) struct AgentDay {
    /// Its first moment, in microseconds.
    pub(crate) start: i64,
    /// Samples in rows, by hour.
    pub(crate) samples: [u64; HOURS],
    /// Chunks that are there.
    pub(crate) chunks: Vec<SealedSpan>,
}

/// What a span of time holds.
struct Held {
    rows: u64,
    /// Chunks that lie in it.
    chunks: usize,
    /// All together.
    samples: u64,
    /// Whether it lies in a longer chunk.
    within_chunk: bool,
}

impl AgentDay {
    /// The next span to be sealed, given that nothing from `finished_before` on is finished. Longer ones come first, so
    /// that what was sealed for the time being is not looked for once no rows are left.
    pub(crate) fn next_period(&self, finished_before: i64) -> Option<Range<i64>> {
        let day = 0..HOURS;
        let is_finished = |hours: &Range<usize>| self.span(hours).end <= finished_before;
        let is_full = |hours: &Range<usize>| self.held(hours).samples >= LEAST_SAMPLES;
        let in_blocks = parts(&day, BLOCK_HOURS).any(|block| is_full(&block));
        if is_finished(&day) && !in_blocks && self.is_sealable(&day, 1) {
            return Some(self.span(&day));
        }
        for block in parts(&day, BLOCK_HOURS) {
            let in_hours = parts(&block, 1).any(|hour| is_full(&hour));
            let least = |longer: &Range<usize>, for_good: bool| {
                if for_good && is_finished(longer) { 1 } else { LEAST_EARLY }
            };
            if !in_hours && is_finished(&block) && self.is_sealable(&block, least(&day, in_blocks)) {
                return Some(self.span(&block));
            }
            let mut hours = parts(&block, 1).filter(is_finished);
            if let Some(hour) = hours.find(|hour| self.is_sealable(hour, least(&block, in_hours))) {
                return Some(self.span(&hour));
            }
        }
        None
    }

    fn span(&self, hours: &Range<usize>) -> Range<i64> {
        self.start + HOUR_MICROS * hours.start as i64..self.start + HOUR_MICROS * hours.end as i64
    }

    fn held(&self, hours: &Range<usize>) -> Held {
        let span = self.span(hours);
        let rows = self.samples[hours.clone()].iter().sum();
        let mut held = Held { rows, chunks: 0, samples: rows, within_chunk: false };
        for chunk in self.chunks.iter().filter(|chunk| chunk.span.start < span.end && span.start < chunk.span.end) {
            if span.start <= chunk.span.start && chunk.span.end <= span.end {
                held.chunks += 1;
                held.samples += chunk.samples;
            } else {
                held.within_chunk = true;
            }
        }
        held
    }

    /// Whether there are at least so many samples to make a chunk of, and not all of them are one already.
    fn is_sealable(&self, hours: &Range<usize>, least: u64) -> bool {
        let held = self.held(hours);
        !held.within_chunk && (held.rows > 0 || held.chunks > 1) && (least..=MOST_SEALED).contains(&held.samples)
    }
}

/// Parts of so many hours.
fn parts(hours: &Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    hours.clone().step_by(length).map(move |first| first..first + length)
}

/// The first moment of the day of that moment.
pub(crate) const fn day_of(micros: i64) -> i64 {
    micros - micros.rem_euclid(DAY_MICROS)
}

/// What a chunk of `samples` samples is divided into: itself, if it is not too large.
pub(crate) fn divided(period: &Range<i64>, samples: usize) -> Option<Vec<Range<i64>>> {
    let length = period.end - period.start;
    let part = if length == DAY_MICROS { BLOCK_HOURS as i64 * HOUR_MICROS } else { HOUR_MICROS };
    (samples > MOST_SAMPLES && part < length).then(|| {
        let parts = (0..length / part).map(|number| period.start + number * part);
        parts.map(|start| start..start + part).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day that is sealed as the job does it.
    struct Sealed {
        day: AgentDay,
    }

    impl Sealed {
        fn new(samples: [u64; HOURS]) -> Self {
            Self { day: AgentDay { start: 20_000 * DAY_MICROS, samples, chunks: Vec::new() } }
        }

        /// Seals until nothing is left to seal, as long as there are rows.
        fn seal(&mut self, hours_finished: i64) {
            let day = &mut self.day;
            while day.samples.iter().any(|&rows| rows > 0) {
                let Some(period) = day.next_period(day.start + hours_finished * HOUR_MICROS) else { return };
                let inside = |chunk: &SealedSpan| period.start <= chunk.span.start && chunk.span.end <= period.end;
                let outside = |chunk: &SealedSpan| chunk.span.end <= period.start || period.end <= chunk.span.start;
                assert!(day.chunks.iter().all(|chunk| inside(chunk) || outside(chunk)), "{period:?}");
                let mut samples = day.chunks.extract_if(.., |chunk| inside(chunk)).map(|chunk| chunk.samples).sum();
                for hour in (period.start - day.start) / HOUR_MICROS..(period.end - day.start) / HOUR_MICROS {
                    samples += std::mem::take(&mut day.samples[hour as usize]);
                }
                day.chunks.push(SealedSpan { span: period, samples });
            }
        }

        /// The hours of its chunks, and how many rows are left.
        fn chunks(&self) -> (Vec<(i64, i64)>, u64) {
            let hour = |moment| (moment - self.day.start) / HOUR_MICROS;
            let mut hours: Vec<_> =
                self.day.chunks.iter().map(|chunk| (hour(chunk.span.start), hour(chunk.span.end))).collect();
            hours.sort_unstable();
            (hours, self.day.samples.iter().sum())
        }
    }

    #[test]
    fn a_chunk_is_the_shortest_span_that_holds_enough() {
        let hours = |of: fn(usize) -> u64| std::array::from_fn(of);
        let blocks = vec![(0, 4), (4, 8), (8, 12), (12, 16), (16, 20), (20, 24)];
        let early = vec![(0, 4), (4, 8), (8, 12), (12, 16), (16, 20), (20, 21), (21, 22), (22, 23)];
        for (what, samples, finished, chunks, left) in [
            ("every ten seconds", hours(|_| 360), 24, (0..24).map(|hour| (hour, hour + 1)).collect(), 0),
            ("so far", hours(|_| 360), 3, vec![(0, 1), (1, 2), (2, 3)], 21 * 360),
            ("every thirty seconds", hours(|_| 120), 24, blocks, 0),
            ("so far", hours(|_| 120), 7, vec![(0, 4), (4, 5), (5, 6), (6, 7)], 17 * 120),
            ("every minute", hours(|_| 60), 24, vec![(0, 24)], 0),
            ("so far", hours(|_| 60), 23, early, 60),
            ("every five minutes so far", hours(|_| 12), 23, vec![(0, 4), (4, 8), (8, 12), (12, 16), (16, 20)], 48),
            ("every hour so far", hours(|_| 1), 23, vec![], 24),
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
            let mut at_once = Sealed::new(samples);
            at_once.seal(finished);
            assert_eq!(at_once.chunks(), (chunks, left), "{what}");
            let mut by_hours = Sealed::new(samples);
            (1..=finished).for_each(|hours| by_hours.seal(hours));
            assert_eq!(by_hours.chunks(), at_once.chunks(), "{what}, hour by hour");
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
