//! Metrics in time buckets.

use std::num::NonZeroU32;

use astranetmon_domain::{AgentId, MetricField, TimeRange, Timestamp};

use super::TimeAxis;

/// Which metrics are put in buckets, and in which: one agent, some fields, a span of time, equal buckets that are
/// aligned to the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketQuery {
    agent_id: AgentId,
    start: Timestamp,
    end: Timestamp,
    bucket_seconds: NonZeroU32,
    fields: Vec<MetricField>,
}

/// The query would have no end, or no bound on its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBucketQuery {
    /// An end of the range is open.
    #[error("buckets need a range with a start and an end")]
    OpenRange,
    /// The range touches more than [`BucketQuery::MOST_BUCKETS`].
    #[error("at most {} buckets: take longer ones, or a shorter range", BucketQuery::MOST_BUCKETS)]
    TooManyBuckets,
}

impl BucketQuery {
    /// Buckets that one range may touch.
    pub const MOST_BUCKETS: u32 = 2_000;

    /// Both ends of `range` must be set; an empty range has no buckets.
    ///
    /// # Errors
    /// [`InvalidBucketQuery::OpenRange`]; [`InvalidBucketQuery::TooManyBuckets`] if the range touches more than
    /// [`BucketQuery::MOST_BUCKETS`].
    pub fn new(
        agent_id: AgentId,
        range: TimeRange,
        bucket_seconds: NonZeroU32,
        fields: Vec<MetricField>,
    ) -> Result<Self, InvalidBucketQuery> {
        let (Some(start), Some(end)) = (range.start, range.end) else { return Err(InvalidBucketQuery::OpenRange) };
        let query = Self { agent_id, start, end, bucket_seconds, fields };
        let touched = if range.is_empty() {
            0
        } else {
            let width = query.bucket_micros();
            (end.as_micros() - 1).div_euclid(width) - start.as_micros().div_euclid(width) + 1
        };
        if touched > i64::from(Self::MOST_BUCKETS) { Err(InvalidBucketQuery::TooManyBuckets) } else { Ok(query) }
    }

    /// The agent that measured, which need not exist.
    #[must_use]
    pub const fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// The span of time: start included, end excluded, both set. The first and the last bucket hold what lies inside.
    #[must_use]
    pub const fn range(&self) -> TimeRange {
        TimeRange { start: Some(self.start), end: Some(self.end) }
    }

    /// Length of a bucket.
    #[must_use]
    pub const fn bucket_seconds(&self) -> NonZeroU32 {
        self.bucket_seconds
    }

    /// The fields, in the order of [`MetricBucket::values`].
    #[must_use]
    pub fn fields(&self) -> &[MetricField] {
        &self.fields
    }

    /// Length of a bucket in microseconds.
    fn bucket_micros(&self) -> i64 {
        i64::from(self.bucket_seconds.get()) * 1_000_000
    }

    /// The buckets.
    pub(crate) fn axis(&self) -> TimeAxis {
        TimeAxis::new((self.start.as_micros(), self.end.as_micros()), self.bucket_micros())
    }
}

/// What one agent measured in one span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricBucket {
    /// Its first moment: a whole multiple of its length since the epoch.
    pub start: Timestamp,
    /// Samples in it, at least 1.
    pub sample_count: u32,
    /// One a field of the query, in its order; `None` where no sample knew the field.
    pub values: Vec<Option<BucketValue>>,
}

/// The known values of one field in one bucket, in the unit of the field; never not-a-number or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketValue {
    /// Arithmetic mean.
    pub avg: f64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(start: Option<i64>, end: Option<i64>, bucket_seconds: u32) -> Result<BucketQuery, InvalidBucketQuery> {
        let range = TimeRange { start: start.map(Timestamp::from_seconds), end: end.map(Timestamp::from_seconds) };
        let bucket_seconds = NonZeroU32::new(bucket_seconds).expect("not zero");
        BucketQuery::new(AgentId::parse("a").expect("an id"), range, bucket_seconds, Vec::new())
    }

    #[test]
    fn a_query_touches_a_bounded_number_of_buckets() {
        const OPEN: Option<InvalidBucketQuery> = Some(InvalidBucketQuery::OpenRange);
        const TOO_MANY: Option<InvalidBucketQuery> = Some(InvalidBucketQuery::TooManyBuckets);
        for (start, end, bucket_seconds, refused) in [
            (Some(0), Some(120_000), 60, None),
            (Some(0), Some(120_001), 60, TOO_MANY),
            (Some(59), Some(120_000), 60, None),
            (Some(59), Some(120_001), 60, TOO_MANY),
            (Some(-60), Some(119_940), 60, None),
            (Some(-61), Some(119_940), 60, TOO_MANY),
            (Some(5), Some(5), 1, None),
            (Some(5_000), Some(0), 1, None),
            (Some(i64::MIN), Some(i64::MAX), u32::MAX, None),
            (Some(i64::MIN), Some(i64::MAX), 86_400, TOO_MANY),
            (None, Some(1), 60, OPEN),
            (Some(1), None, 60, OPEN),
        ] {
            let made = query(start, end, bucket_seconds);
            assert_eq!(made.err(), refused, "{start:?} to {end:?} by {bucket_seconds}");
        }
    }
}
