//! Metrics in time buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use astranetmon_domain::{
    Account, AgentFilter, MetricField, MetricSample, RecordFilter, TimeRange, Timestamp, parse_moment,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::records::Record;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{BucketQuery, BucketValue, MetricBucket, Storage};

const HOUR: u32 = 3_600;

fn fields(names: &[&str]) -> Vec<MetricField> {
    names.iter().map(|name| name.parse().expect(name)).collect()
}

pub(super) fn range(start: Timestamp, end: Timestamp) -> TimeRange {
    TimeRange { start: Some(start), end: Some(end) }
}

pub(super) fn query(agent: &str, range: TimeRange, bucket_seconds: u32, names: &[&str]) -> BucketQuery {
    let bucket_seconds = NonZeroU32::new(bucket_seconds).expect("not zero");
    BucketQuery::new(agent_id(agent), range, bucket_seconds, fields(names)).expect("few buckets")
}

pub(super) async fn buckets(storage: &Arc<dyn Storage>, owner: &Account, query: &BucketQuery) -> Vec<MetricBucket> {
    storage.metric_buckets(&scope(owner), query).await.expect("buckets")
}

/// What the buckets must be, from the samples that a list gives.
async fn expected(storage: &Arc<dyn Storage>, owner: &Account, query: &BucketQuery) -> Vec<MetricBucket> {
    let filter = RecordFilter { agent: AgentFilter::One(query.agent_id().clone()), range: query.range() };
    let page = MetricSample::page(storage, owner, &filter, 10_000, None).await;
    assert!(!page.more);
    of_samples(query, page.rows.into_iter().map(|sample| (sample.timestamp, sample)))
}

/// What the buckets must be, from samples and the moments at which they lie.
pub(super) fn of_samples(
    query: &BucketQuery,
    samples: impl Iterator<Item = (Timestamp, MetricSample)>,
) -> Vec<MetricBucket> {
    let width = i64::from(query.bucket_seconds().get()) * 1_000_000;
    let mut groups: BTreeMap<i64, Vec<MetricSample>> = BTreeMap::new();
    for (at, sample) in samples.filter(|(at, _)| query.range().contains(*at)) {
        groups.entry(at.as_micros().div_euclid(width) * width).or_default().push(sample);
    }
    let value = |samples: &[MetricSample], field: &MetricField| {
        let known: Vec<f64> =
            samples.iter().filter_map(|sample| field.in_unit(sample.fixed_values()[field.index()])).collect();
        (!known.is_empty()).then(|| BucketValue {
            avg: known.iter().sum::<f64>() / known.len() as f64,
            min: known.iter().copied().fold(f64::INFINITY, f64::min),
            max: known.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    let bucket = |(start, samples): (i64, Vec<MetricSample>)| MetricBucket {
        start: Timestamp::from_micros(start),
        sample_count: samples.len() as u32,
        values: query.fields().iter().map(|field| value(&samples, field)).collect(),
    };
    groups.into_iter().map(bucket).collect()
}

/// Equal but for the last digits of the means.
pub(super) fn assert_agree(buckets: &[MetricBucket], expected: &[MetricBucket], query: &BucketQuery) {
    let shape = |buckets: &[MetricBucket]| -> Vec<_> {
        let ends = |value: &Option<BucketValue>| value.map(|value| (value.min, value.max));
        let values = |bucket: &MetricBucket| bucket.values.iter().map(ends).collect::<Vec<_>>();
        buckets.iter().map(|bucket| (bucket.start, bucket.sample_count, values(bucket))).collect()
    };
    assert_eq!(shape(buckets), shape(expected), "{query:?}");
    let means = |buckets: &[MetricBucket]| -> Vec<f64> {
        buckets.iter().flat_map(|bucket| bucket.values.iter().flatten().map(|value| value.avg)).collect()
    };
    for (mean, expected) in means(buckets).into_iter().zip(means(expected)) {
        assert!((mean - expected).abs() <= expected.abs() * 1e-9, "{mean} {expected} {query:?}");
    }
}

/// Over months, for widths that divide a day and for some that do not, whatever the ends of the range.
pub async fn buckets_agree_with_the_samples(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(1);
    let day = 86_400_000_000;
    let times: BTreeSet<i64> = (0..600).map(|_| rng.random_range(-40 * day..40 * day) / 1_000).collect();
    let samples = times
        .into_iter()
        .map(|millis| MetricSample::random(&mut rng, agent_id("a"), NOVEMBER.plus_micros(millis * 1_000)))
        .collect();
    MetricSample::append(&storage, &owner, samples).await.expect("appended");
    let names = ["temperature_celsius", "cpu_percent", "memory_total_bytes", "load_1", "latency_ms", "cpu_percent"];
    for _ in 0..20 {
        let start = NOVEMBER.plus_micros(rng.random_range(-45 * day..30 * day));
        let end = start.plus_micros(rng.random_range(1..50 * day));
        for bucket_seconds in [HOUR, 86_400, 7 * HOUR + 13] {
            let query = query("a", range(start, end), bucket_seconds, &names[..rng.random_range(0..=names.len())]);
            let found = buckets(&storage, &owner, &query).await;
            assert_agree(&found, &expected(&storage, &owner, &query).await, &query);
        }
    }
}

/// A bucket of which nothing is known of a field says so; one without samples is not there; values have the unit of
/// their field.
pub async fn unknown_values_and_empty_buckets_are_left_out(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let sample = |seconds, cpu_percent, latency_ms| MetricSample {
        cpu_percent,
        latency_ms,
        ..MetricSample::new(agent_id("a"), NOVEMBER.plus_seconds(seconds))
    };
    let samples = vec![
        sample(0, Some(10.25), None),
        sample(59, Some(0.25), None),
        sample(119, None, None),
        sample(120, None, Some(0.125)),
        sample(360, Some(100.0), Some(7.0)),
    ];
    MetricSample::append(&storage, &owner, samples).await.expect("appended");
    let value = |avg, min, max| Some(BucketValue { avg, min, max });
    let bucket = |seconds, sample_count, values: [Option<BucketValue>; 2]| MetricBucket {
        start: NOVEMBER.plus_seconds(seconds),
        sample_count,
        values: values.to_vec(),
    };
    let query = query("a", range(NOVEMBER, NOVEMBER.plus_seconds(3_600)), 120, &["cpu_percent", "latency_ms"]);
    assert_eq!(
        buckets(&storage, &owner, &query).await,
        [
            bucket(0, 3, [value(5.25, 0.25, 10.25), None]),
            bucket(120, 1, [None, value(0.125, 0.125, 0.125)]),
            bucket(360, 1, [value(100.0, 100.0, 100.0), value(7.0, 7.0, 7.0)]),
        ]
    );
}

/// The start is inside, the end is not, and a bucket that an end cuts keeps its own start, before the epoch, too.
pub async fn ends_of_the_range_cut_buckets(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let epoch = Timestamp::from_seconds(0);
    let before_1970 = parse_moment("1969-12-31T22:30:00Z", epoch).expect("a moment");
    for start in [NOVEMBER, before_1970] {
        let samples = (0..120_i64).map(|minute| MetricSample::new(agent_id("a"), start.plus_seconds(minute * 60)));
        MetricSample::append(&storage, &owner, samples.collect()).await.expect("appended");
    }
    for (start, end, expected) in [
        (NOVEMBER, NOVEMBER.plus_seconds(7_200), vec![(NOVEMBER, 60), (NOVEMBER.plus_seconds(3_600), 60)]),
        (
            NOVEMBER.plus_seconds(60),
            NOVEMBER.plus_seconds(3_660),
            vec![(NOVEMBER, 59), (NOVEMBER.plus_seconds(3_600), 1)],
        ),
        (NOVEMBER.plus_micros(1), NOVEMBER.plus_seconds(60), vec![]),
        (NOVEMBER, NOVEMBER.plus_micros(1), vec![(NOVEMBER, 1)]),
        (NOVEMBER, NOVEMBER, vec![]),
        (NOVEMBER.plus_seconds(60), NOVEMBER, vec![]),
        (
            before_1970,
            epoch.plus_seconds(60),
            vec![(epoch.plus_seconds(-7_200), 30), (epoch.plus_seconds(-3_600), 60), (epoch, 1)],
        ),
    ] {
        let query = query("a", range(start, end), HOUR, &[]);
        let found = buckets(&storage, &owner, &query).await;
        let found: Vec<_> = found.iter().map(|bucket| (bucket.start, bucket.sample_count)).collect();
        assert_eq!(found, expected, "{start} to {end}");
    }
}

/// Of the one agent of the one account.
pub async fn buckets_of_accounts_and_agents_are_apart(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    for (account, agent, load) in [(&owner, "a", 1.0), (&owner, "b", 2.0), (&stranger, "a", 4.0), (&stranger, "c", 8.0)]
    {
        let sample = MetricSample { load_1: Some(load), ..MetricSample::new(agent_id(agent), NOVEMBER) };
        MetricSample::append(&storage, account, vec![sample]).await.expect("appended");
    }
    for (account, agent, expected) in
        [(&owner, "a", Some(1.0)), (&owner, "b", Some(2.0)), (&owner, "c", None), (&stranger, "a", Some(4.0))]
    {
        let query = query(agent, range(NOVEMBER, NOVEMBER.plus_seconds(60)), 60, &["load_1"]);
        let found = buckets(&storage, account, &query).await;
        let means: Vec<_> = found.iter().map(|bucket| bucket.values[0].map(|value| value.avg)).collect();
        assert_eq!(means, expected.map(Some).into_iter().collect::<Vec<_>>(), "{agent} of {}", account.name);
    }
}
