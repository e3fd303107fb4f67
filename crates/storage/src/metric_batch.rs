//! Metrics on their way into storage.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use astranetmon_domain::MetricSample;

use crate::counts::CountDeltas;
use crate::measured::Measured;
use crate::repository::Appended;

/// A sample with what is stored of it. Each key is there once: what came first stays, what comes later fills it.
pub(crate) struct BatchSample {
    /// Its place in what was given.
    pub(crate) place: u32,
    /// Normalized.
    pub(crate) sample: MetricSample,
    /// With what later samples of the same key know besides.
    pub(crate) measured: Measured,
    /// Places of those later samples.
    fillers: Vec<u32>,
}

impl BatchSample {
    pub(crate) fn agent_id(&self) -> &str {
        self.sample.agent_id.as_str()
    }

    /// In microseconds.
    pub(crate) const fn timestamp(&self) -> i64 {
        self.sample.timestamp.as_micros()
    }
}

/// Samples that are appended together.
pub(crate) struct MetricBatch {
    pub(crate) samples: Vec<BatchSample>,
    /// Samples that have nothing to add to one before them: places and times.
    known: Vec<(u32, i64)>,
    /// Places of samples whose time has gone into summaries.
    too_old: Vec<u32>,
}

impl MetricBatch {
    pub(crate) fn of(samples: Vec<MetricSample>) -> Self {
        let samples = (0..).zip(samples).map(|(place, sample)| {
            let sample = sample.normalized();
            let measured = Measured::of(&sample);
            BatchSample { place, sample, measured, fillers: Vec::new() }
        });
        let batch = Self { samples: samples.collect(), known: Vec::new(), too_old: Vec::new() };
        if batch.is_in_order() { batch } else { batch.distinct() }
    }

    /// Whether times rise from sample to sample of one agent, as agents send them: then no key is there twice.
    fn is_in_order(&self) -> bool {
        self.samples.windows(2).all(|pair| {
            let [before, after] = pair else { return true };
            before.sample.agent_id == after.sample.agent_id && before.sample.timestamp < after.sample.timestamp
        })
    }

    fn distinct(mut self) -> Self {
        let mut positions = HashMap::with_capacity(self.samples.len());
        let mut distinct: Vec<BatchSample> = Vec::with_capacity(self.samples.len());
        for given in std::mem::take(&mut self.samples) {
            match positions.entry((given.sample.agent_id.clone(), given.timestamp())) {
                Entry::Vacant(vacant) => {
                    vacant.insert(distinct.len());
                    distinct.push(given);
                }
                Entry::Occupied(position) => {
                    let first = &mut distinct[*position.get()];
                    if first.measured.fill_from(&given.measured) {
                        first.fillers.push(given.place);
                    } else {
                        self.known.push((given.place, given.timestamp()));
                    }
                }
            }
        }
        self.samples = distinct;
        self
    }

    /// Passes by samples from before that time, in microseconds: they may be counted in a summary already, where nobody
    /// can tell.
    pub(crate) fn pass_by(&mut self, folded_before: i64) {
        for passed in self.samples.extract_if(.., |sample| sample.timestamp() < folded_before) {
            self.too_old.push(passed.place);
            self.too_old.extend(passed.fillers);
        }
        self.too_old
            .extend(self.known.extract_if(.., |(_, timestamp)| *timestamp < folded_before).map(|known| known.0));
    }

    /// Agents with samples before that time, and between which moments these lie; all in microseconds.
    pub(crate) fn spans_before(&self, time: i64) -> BTreeMap<String, (i64, i64)> {
        let mut spans: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for sample in self.samples.iter().filter(|sample| sample.timestamp() < time) {
            let at = sample.timestamp();
            match spans.get_mut(sample.agent_id()) {
                Some((from, to)) => (*from, *to) = ((*from).min(at), (*to).max(at + 1)),
                None => _ = spans.insert(sample.agent_id().to_owned(), (at, at + 1)),
            }
        }
        spans
    }

    /// To be told what became of the samples.
    pub(crate) fn tally(&self) -> Tally<'_> {
        Tally {
            inserted: Vec::with_capacity(self.samples.len()),
            filled: 0,
            known_rows: self.known.iter().map(|(place, _)| *place).collect(),
            too_old_rows: self.too_old.clone(),
        }
    }
}

/// What became of the samples of a batch.
pub(crate) struct Tally<'a> {
    inserted: Vec<&'a BatchSample>,
    filled: u64,
    known_rows: Vec<u32>,
    too_old_rows: Vec<u32>,
}

impl<'a> Tally<'a> {
    /// The sample's key was new.
    pub(crate) fn inserted(&mut self, sample: &'a BatchSample) {
        self.inserted.push(sample);
        self.filled += sample.fillers.len() as u64;
    }

    /// The sample's key was there, and gained something.
    pub(crate) fn filled(&mut self, sample: &BatchSample) {
        self.filled += 1 + sample.fillers.len() as u64;
    }

    /// The sample's key was there, and it had nothing to add.
    pub(crate) fn known(&mut self, sample: &BatchSample) {
        self.known_rows.push(sample.place);
        self.known_rows.extend(&sample.fillers);
    }

    /// What the counts gain.
    pub(crate) fn deltas(&self) -> CountDeltas {
        CountDeltas::of(self.inserted.iter().map(|sample| (sample.agent_id(), sample.timestamp())))
    }

    /// As callers are told.
    pub(crate) fn finish(mut self) -> Appended {
        self.known_rows.sort_unstable();
        self.too_old_rows.sort_unstable();
        Appended {
            inserted: self.inserted.len() as u64,
            filled: self.filled,
            known: self.known_rows.len() as u64,
            known_rows: self.known_rows,
            too_old_rows: self.too_old_rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{AgentId, Timestamp};

    use super::*;

    fn sample(agent: &str, seconds: i64, load_1: Option<f64>) -> MetricSample {
        let id = AgentId::parse(agent).expect("an id");
        MetricSample { load_1, ..MetricSample::new(id, Timestamp::from_seconds(seconds)) }
    }

    #[test]
    fn a_key_is_kept_once_and_later_samples_of_it_fill_or_are_known() {
        let (one, two) = (Some(1.0), Some(2.0));
        for (given, kept, new, there) in [
            (vec![("a", 1, one), ("a", 2, one)], vec![0, 1], (0, vec![]), vec![0, 1]),
            (vec![("a", 2, one), ("a", 1, one)], vec![0, 1], (0, vec![]), vec![0, 1]),
            (vec![("a", 1, one), ("b", 1, one)], vec![0, 1], (0, vec![]), vec![0, 1]),
            (vec![("a", 1, one), ("a", 1, two)], vec![0], (0, vec![1]), vec![0, 1]),
            (
                vec![("a", 1, None), ("a", 2, one), ("a", 1, two), ("a", 1, one)],
                vec![0, 1],
                (1, vec![3]),
                vec![0, 1, 2, 3],
            ),
        ] {
            let samples = given.iter().map(|&(agent, at, load)| sample(agent, at, load)).collect();
            let batch = MetricBatch::of(samples);
            let places: Vec<u32> = batch.samples.iter().map(|kept| kept.place).collect();
            assert_eq!(places, kept, "{given:?}");
            let mut all_new = batch.tally();
            batch.samples.iter().for_each(|sample| all_new.inserted(sample));
            let all_new = all_new.finish();
            assert_eq!((all_new.filled, all_new.known_rows), new, "{given:?}");
            let mut all_there = batch.tally();
            batch.samples.iter().for_each(|sample| all_there.known(sample));
            assert_eq!(all_there.finish().known_rows, there, "{given:?}");
        }
        let (early, late) = (sample("a", 1, one), sample("a", 3, one));
        let mut batch = MetricBatch::of(vec![late.clone(), early.clone(), sample("a", 1, None), early, late]);
        batch.pass_by(Timestamp::from_seconds(2).as_micros());
        let passed = batch.tally().finish();
        assert_eq!((passed.known_rows, passed.too_old_rows), (vec![4], vec![1, 2, 3]));
        let filled = MetricBatch::of(vec![sample("a", 1, None), sample("a", 1, two)]);
        assert_eq!(filled.samples[0].measured, Measured::of(&sample("a", 1, two)));
    }
}
