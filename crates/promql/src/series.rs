use std::collections::{HashMap, HashSet};

use crate::{EvaluationError, Labels};

/// What was measured under some labels: times rise, in milliseconds since 1970, and each has one value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    labels: Labels,
    times: Vec<i64>,
    values: Vec<f64>,
    /// From which place on samples are believed for how long.
    beliefs: Vec<(usize, i64)>,
}

impl Series {
    /// One without samples.
    #[must_use]
    pub const fn new(labels: Labels) -> Self {
        Self { labels, times: Vec::new(), values: Vec::new(), beliefs: Vec::new() }
    }

    /// Appends a sample, which is believed for so many milliseconds unless a newer one comes before. One that is not
    /// newer than the last is left out.
    pub fn push(&mut self, time: i64, value: f64, believed_for: i64) {
        if self.times.last().is_some_and(|last| *last >= time) {
            return;
        }
        if self.beliefs.last().is_none_or(|(_, last)| *last != believed_for) {
            self.beliefs.push((self.times.len(), believed_for));
        }
        self.times.push(time);
        self.values.push(value);
    }

    /// What tells it from others.
    #[must_use]
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// When each sample was taken.
    #[must_use]
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The value of each sample.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Its samples newer than `start` and no newer than `end`.
    pub(crate) fn within(&self, start: i64, end: i64) -> Self {
        let mut within = Self::new(self.labels.clone());
        for (time, value) in self.times.iter().zip(&self.values).filter(|(time, _)| start < **time && **time <= end) {
            within.push(*time, *value, 0);
        }
        within
    }

    /// The place of the sample that is believed at each of the moments, which rise.
    pub(crate) fn believed_at(&self, moments: impl Iterator<Item = i64>) -> impl Iterator<Item = Option<usize>> {
        let (mut behind, mut belief) = (0, 0);
        moments.map(move |moment| {
            while self.times.get(behind).is_some_and(|time| *time <= moment) {
                behind += 1;
            }
            let place = behind.checked_sub(1)?;
            while self.beliefs.get(belief + 1).is_some_and(|(from, _)| *from <= place) {
                belief += 1;
            }
            (moment - self.times[place] < self.beliefs[belief].1).then_some(place)
        })
    }
}

/// The value of an expression at each step under some labels; `None` where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What tells it from others.
    pub labels: Labels,
    /// One a step.
    pub values: Vec<Option<f64>>,
}

impl Row {
    /// The values of a scalar.
    #[must_use]
    pub fn without_labels(values: Vec<f64>) -> Self {
        Self { labels: Labels::default(), values: values.into_iter().map(Some).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }
}

/// An operator or a function may make the labels of two series the same.
pub(crate) fn refuse_duplicates(rows: Vec<Row>) -> Result<Vec<Row>, EvaluationError> {
    let mut seen = HashSet::new();
    if rows.iter().all(|row| seen.insert(&row.labels)) { Ok(rows) } else { Err(EvaluationError::DuplicateLabels) }
}

/// The same where two series may share their labels if they never have values at once: as one.
pub(crate) fn merged(rows: impl IntoIterator<Item = Row>) -> Result<Vec<Row>, EvaluationError> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut all: Vec<Row> = Vec::new();
    for row in rows {
        let Some(&place) = places.get(&row.labels) else {
            places.insert(row.labels.clone(), all.len());
            all.push(row);
            continue;
        };
        for (value, other) in all[place].values.iter_mut().zip(row.values) {
            if value.is_some() && other.is_some() {
                return Err(EvaluationError::DuplicateLabels);
            }
            *value = value.or(other);
        }
    }
    Ok(all)
}
