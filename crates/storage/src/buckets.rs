//! Puts metric rows in time buckets, row by row as they come from the database.

use astranetmon_domain::{MetricField, NULL, Timestamp};

use crate::measured::Packed;
use crate::repository::{BucketQuery, BucketValue, MetricBucket};

/// The buckets of a query so far. Holds one bucket's running figures, whatever the number of rows.
pub(crate) struct BucketFold<'a> {
    width: i64,
    fields: &'a [MetricField],
    full: Vec<MetricBucket>,
    start: i64,
    sample_count: u32,
    running: Vec<Running>,
}

impl<'a> BucketFold<'a> {
    pub(crate) fn new(query: &'a BucketQuery) -> Self {
        let fields = query.fields();
        Self {
            width: query.bucket_micros(),
            fields,
            full: Vec::new(),
            start: 0,
            sample_count: 0,
            running: vec![Running::NONE; fields.len()],
        }
    }

    /// Takes the next row; `timestamp` in microseconds, not before that of the row before.
    pub(crate) fn push(&mut self, timestamp: i64, measured: &Packed) {
        // Most rows lie in the bucket of the row before, which saves them a division.
        if timestamp - self.start >= self.width || self.sample_count == 0 {
            self.close();
            self.start = timestamp - timestamp.rem_euclid(self.width);
        }
        self.sample_count += 1;
        for (running, field) in self.running.iter_mut().zip(self.fields) {
            let value = measured.value(field.index());
            if value != NULL {
                running.take(value);
            }
        }
    }

    fn close(&mut self) {
        if self.sample_count > 0 {
            let values = self.running.iter().zip(self.fields).map(|(running, field)| running.value(*field)).collect();
            let start = Timestamp::from_micros(self.start);
            self.full.push(MetricBucket { start, sample_count: self.sample_count, values });
        }
        self.sample_count = 0;
        self.running.fill(Running::NONE);
    }

    pub(crate) fn finish(mut self) -> Vec<MetricBucket> {
        self.close();
        self.full
    }
}

/// The known values of one field so far, as whole numbers of its last decimal.
#[derive(Clone, Copy)]
struct Running {
    count: u32,
    sum: i128,
    min: i64,
    max: i64,
}

impl Running {
    const NONE: Self = Self { count: 0, sum: 0, min: i64::MAX, max: i64::MIN };

    fn take(&mut self, value: i64) {
        self.count += 1;
        self.sum += i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    fn value(self, field: MetricField) -> Option<BucketValue> {
        if self.count == 0 {
            return None;
        }
        let (min, max) = (field.in_unit(self.min)?, field.in_unit(self.max)?);
        // Rounding must not carry the mean past what it is the mean of.
        let avg = (self.sum as f64 / f64::from(self.count) / field.scale()).clamp(min, max);
        Some(BucketValue { avg, min, max })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use astranetmon_domain::{AgentId, METRIC_FIELDS, TimeRange};

    use super::*;
    use crate::measured::Measured;

    #[test]
    fn rows_fall_into_buckets_that_are_aligned_to_the_epoch() {
        let fields = ["network_receive_bytes_total", "latency_ms"].map(|name| name.parse().expect(name)).to_vec();
        let range = TimeRange { start: Some(Timestamp::MIN), end: Some(Timestamp::from_seconds(1_000)) };
        let width = NonZeroU32::new(1 << 27).expect("not zero");
        let query = BucketQuery::new(AgentId::parse("a").expect("an id"), range, width, fields).expect("few buckets");
        let width = query.bucket_micros();
        let mut fold = BucketFold::new(&query);
        for (timestamp, bytes, latency) in
            [(-width - 1, 1, 1), (-width, i64::MAX, 2_000), (-1, i64::MAX, 5), (0, NULL, -1), (width - 1, NULL, NULL)]
        {
            let mut values = [NULL; METRIC_FIELDS.len()];
            for (field, value) in query.fields().iter().zip([bytes, latency]) {
                values[field.index()] = value;
            }
            fold.push(timestamp, &Packed::of(&Measured(values).pack()));
        }
        let value = |avg, min, max| Some(BucketValue { avg, min, max });
        let most = i64::MAX as f64;
        let buckets = fold.finish();
        let seen: Vec<_> =
            buckets.iter().map(|bucket| (bucket.start.as_micros(), bucket.sample_count, &bucket.values[..])).collect();
        assert_eq!(
            seen,
            [
                (-2 * width, 1, &[value(1.0, 1.0, 1.0), value(0.001, 0.001, 0.001)][..]),
                (-width, 2, &[value(most, most, most), value(1.0025, 0.005, 2.0)][..]),
                (0, 2, &[None, value(-0.001, -0.001, -0.001)][..]),
            ]
        );
    }

    #[test]
    fn no_rows_make_no_buckets() {
        let range = TimeRange { start: Some(Timestamp::MIN), end: Some(Timestamp::MIN) };
        let query = BucketQuery::new(AgentId::parse("a").expect("an id"), range, NonZeroU32::MIN, Vec::new());
        assert_eq!(BucketFold::new(&query.expect("no buckets")).finish(), []);
    }
}
