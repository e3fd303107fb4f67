use std::collections::BTreeMap;

use super::{DAY, HOUR, Summary};
use crate::measured::FieldValues;

/// Summaries of one agent in the making, by the start of their hour or day in microseconds.
#[derive(Debug)]
pub(crate) struct Gathered {
    width: i64,
    summaries: BTreeMap<i64, Summary>,
}

impl Gathered {
    pub(crate) const fn into_hours() -> Self {
        Self { width: HOUR * 1_000_000, summaries: BTreeMap::new() }
    }

    pub(crate) const fn into_days() -> Self {
        Self { width: DAY * 1_000_000, summaries: BTreeMap::new() }
    }

    /// In seconds.
    pub(crate) const fn period(&self) -> i64 {
        self.width / 1_000_000
    }

    pub(crate) fn push(&mut self, timestamp: i64, measured: &impl FieldValues) {
        self.of(timestamp).push(measured);
    }

    /// Takes a summary of a shorter time, or one that is stored of the same.
    pub(crate) fn merge(&mut self, start: i64, summary: &Summary) {
        self.of(start).merge(summary);
    }

    fn of(&mut self, micros: i64) -> &mut Summary {
        self.summaries.entry(micros - micros.rem_euclid(self.width)).or_insert(Summary::EMPTY)
    }

    /// The first and the last start.
    pub(crate) fn ends(&self) -> Option<(i64, i64)> {
        Some((*self.summaries.keys().next()?, *self.summaries.keys().next_back()?))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Summary)> {
        self.summaries.iter().map(|(start, summary)| (*start, summary))
    }

    pub(crate) fn contains(&self, start: i64) -> bool {
        self.summaries.contains_key(&start)
    }
}
