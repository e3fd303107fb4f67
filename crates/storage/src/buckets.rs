//! Puts metric rows and summaries of rows in time buckets, one by one as they come from the database.

use std::collections::BTreeMap;

use astranetmon_domain::{MetricField, NULL, Timestamp};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};

use crate::StorageError;
use crate::chunks::{PackedColumns, unpack_times};
use crate::measured::{FieldValues, Packed};
use crate::repository::{BucketQuery, MetricBucket};
use crate::retention::{FieldSummary, Summary};

/// What buckets need of a chunk.
#[derive(QueryableByName)]
pub(crate) struct BucketChunk {
    /// In microseconds.
    #[diesel(sql_type = BigInt)]
    pub(crate) first_at: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) sample_count: i64,
    #[diesel(sql_type = Binary)]
    pub(crate) summary: Vec<u8>,
    #[diesel(sql_type = Binary)]
    pub(crate) times: Vec<u8>,
    /// Unless all of its samples lie in one bucket of the query.
    #[diesel(sql_type = Nullable<Binary>)]
    pub(crate) packed: Option<Vec<u8>>,
}

/// The buckets of a query so far. Holds no more than their running figures, whatever the number of rows.
pub(crate) struct BucketFold<'a> {
    range: (i64, i64),
    width: i64,
    fields: &'a [MetricField],
    /// Those that were left, by their start.
    left: BTreeMap<i64, Running>,
    start: i64,
    running: Running,
}

#[derive(Clone)]
struct Running {
    sample_count: u64,
    fields: Vec<FieldSummary>,
}

impl<'a> BucketFold<'a> {
    pub(crate) fn new(query: &'a BucketQuery) -> Self {
        let fields = query.fields();
        let running = Running { sample_count: 0, fields: vec![FieldSummary::NONE; fields.len()] };
        Self { range: query.micros(), width: query.bucket_micros(), fields, left: BTreeMap::new(), start: 0, running }
    }

    /// Takes a row; `timestamp` in microseconds. In any order, but cheapest from one bucket to the next.
    pub(crate) fn push(&mut self, timestamp: i64, measured: &Packed) {
        self.enter(timestamp);
        self.running.sample_count += 1;
        for (running, field) in self.running.fields.iter_mut().zip(self.fields) {
            let value = measured.value(field.index());
            if value != NULL {
                running.take(value);
            }
        }
    }

    /// Takes a summary of rows, all of it in the bucket of its first moment.
    pub(crate) fn push_summary(&mut self, start: i64, summary: &Summary) {
        self.enter(start);
        self.running.sample_count += summary.sample_count;
        for (running, field) in self.running.fields.iter_mut().zip(self.fields) {
            running.merge(&summary.fields[field.index()]);
        }
    }

    /// Takes what lies in the range of the query.
    pub(crate) fn push_chunk(&mut self, chunk: &BucketChunk) -> Result<(), StorageError> {
        let Some(packed) = &chunk.packed else {
            self.push_summary(chunk.first_at, &Summary::unpack(chunk.sample_count, &chunk.summary)?);
            return Ok(());
        };
        let times = unpack_times(&chunk.times)?;
        let (start, end) = self.range;
        let within = times.partition_point(|&at| at < start)..times.partition_point(|&at| at < end);
        let packed = PackedColumns::read(packed)?;
        let mut columns = vec![Vec::new(); self.fields.len()];
        for (column, field) in columns.iter_mut().zip(self.fields) {
            packed.field(field.index(), column)?;
        }
        let mut first = within.start;
        while first < within.end {
            self.enter(times[first]);
            let bucket_end = self.start + self.width;
            let after = first + times[first..within.end].partition_point(|&at| at < bucket_end);
            self.running.sample_count += (after - first) as u64;
            for (running, column) in self.running.fields.iter_mut().zip(&columns) {
                running.take_all(column.get(first..after).unwrap_or_default());
            }
            first = after;
        }
        Ok(())
    }

    fn enter(&mut self, timestamp: i64) {
        // Most rows lie in the bucket of the row before, which saves them a division.
        let within = timestamp - self.start;
        if within >= self.width || within < 0 || self.running.sample_count == 0 {
            self.leave();
            self.start = timestamp - timestamp.rem_euclid(self.width);
        }
    }

    fn leave(&mut self) {
        if self.running.sample_count == 0 {
            return;
        }
        let running = &self.running;
        self.left
            .entry(self.start)
            .and_modify(|left| {
                left.sample_count += running.sample_count;
                left.fields.iter_mut().zip(&running.fields).for_each(|(left, running)| left.merge(running));
            })
            .or_insert_with(|| running.clone());
        self.running.sample_count = 0;
        self.running.fields.fill(FieldSummary::NONE);
    }

    pub(crate) fn finish(mut self) -> Vec<MetricBucket> {
        self.leave();
        let bucket = |(start, running): (i64, Running)| MetricBucket {
            start: Timestamp::from_micros(start),
            sample_count: u32::try_from(running.sample_count).unwrap_or(u32::MAX),
            values: running.fields.into_iter().zip(self.fields).map(|(known, field)| known.value(*field)).collect(),
        };
        self.left.into_iter().map(bucket).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use astranetmon_domain::{AgentId, METRIC_FIELDS, TimeRange};

    use super::*;
    use crate::measured::Measured;
    use crate::repository::BucketValue;

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
    fn rows_and_summaries_of_one_bucket_come_together_in_any_order() {
        let field: MetricField = "load_1".parse().expect("a field");
        let range = TimeRange { start: Some(Timestamp::MIN), end: Some(Timestamp::MIN.plus_seconds(10)) };
        let width = NonZeroU32::new(100).expect("not zero");
        let query = BucketQuery::new(AgentId::parse("a").expect("an id"), range, width, vec![field]).expect("few");
        let measured = |value| Packed::of(&Measured(std::array::from_fn(|_| value)).pack());
        let mut summary = Summary::EMPTY;
        [100, 700].iter().for_each(|&value| summary.push(&measured(value)));
        let mut fold = BucketFold::new(&query);
        fold.push(150_000_000, &measured(400));
        fold.push(10_000_000, &measured(5));
        fold.push_summary(100_000_000, &summary);
        let buckets = fold.finish();
        let seen: Vec<_> = buckets.iter().map(|bucket| (bucket.start.as_micros(), bucket.sample_count)).collect();
        assert_eq!(seen, [(0, 1), (100_000_000, 3)]);
        assert_eq!(buckets[1].values, [Some(BucketValue { avg: 4.0, min: 1.0, max: 7.0 })]);
    }

    #[test]
    fn no_rows_make_no_buckets() {
        let range = TimeRange { start: Some(Timestamp::MIN), end: Some(Timestamp::MIN) };
        let query = BucketQuery::new(AgentId::parse("a").expect("an id"), range, NonZeroU32::MIN, Vec::new());
        assert_eq!(BucketFold::new(&query.expect("no buckets")).finish(), []);
    }
}
