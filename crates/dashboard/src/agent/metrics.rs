//! What the agent's charts draw, column by column.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use actix_web::{HttpResponse, get, web};
use astranetmon_domain::{Agent, AgentId, METRIC_FIELDS, MetricField, TimeRange, round_to};
use astranetmon_http::{ApiError, SignedIn};
use astranetmon_storage::{BucketQuery, BucketValue, MetricBucket};
use serde::Serialize;

use super::buckets::{Place, bucket_seconds, on_axis};
use crate::DashboardState;
use crate::range::{Range, RangeQuery};

/// The fields that are drawn.
const DRAWN: [&str; 14] = [
    "cpu_percent",
    "load_1",
    "memory_percent",
    "swap_total_bytes",
    "swap_used_bytes",
    "disk_percent",
    "disk_read_bytes_per_second",
    "disk_write_bytes_per_second",
    "network_receive_bytes_per_second",
    "network_transmit_bytes_per_second",
    "latency_ms",
    "jitter_ms",
    "packet_loss_percent",
    "temperature_celsius",
];

/// One field over time, as long as the axis; `null` where it was not measured.
#[derive(Default, Serialize)]
struct Column {
    avg: Vec<Option<f64>>,
    min: Vec<Option<f64>>,
    max: Vec<Option<f64>>,
}

impl Column {
    fn push(&mut self, value: Option<BucketValue>) {
        // The scale of what is stored; averages have no more to say.
        let rounded = |part: fn(BucketValue) -> f64| value.and_then(|value| round_to(part(value), 3));
        self.avg.push(rounded(|value| value.avg));
        self.min.push(rounded(|value| value.min));
        self.max.push(rounded(|value| value.max));
    }
}

/// Metrics of one agent in equal buckets.
#[derive(Serialize)]
struct Metrics {
    /// First moment of the span, in seconds since the epoch.
    start: i64,
    /// First moment after it.
    end: i64,
    bucket_seconds: u32,
    /// Start of each bucket, in seconds since the epoch, measured or not.
    t: Vec<i64>,
    /// Samples in each.
    count: Vec<u32>,
    /// By field.
    series: BTreeMap<&'static str, Column>,
}

#[get("/data/agents/{id}/metrics")]
pub(super) async fn metric_data(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
    id: web::Path<String>,
    query: web::Query<RangeQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = state.api.clock().now();
    let range = Range::of(&query, "24h", now)?;
    let id = AgentId::parse(&id).map_err(|_| ApiError::NotFound)?;
    let storage = state.api.storage();
    let agent = storage.agent_find(&signed_in.reads()?, &id).await?.ok_or(ApiError::NotFound)?;
    let (start, end) = range.ends(now);
    let interval = agent.facts.interval_seconds.unwrap_or(Agent::DEFAULT_INTERVAL_SECONDS);
    // Where samples have become hours or days, shorter buckets would be gaps but for one in many.
    let kept = storage.retention_of(&signed_in.reads_account()?).await?.effective();
    let coarsest = kept.summary_seconds(start, now).unwrap_or(0);
    let bucket_seconds = bucket_seconds(end.as_seconds() - start.as_seconds(), interval.max(coarsest));
    // Whole buckets: a part of the first one would stand out.
    let length = i64::from(bucket_seconds);
    let start = start.plus_seconds(-start.as_seconds().rem_euclid(length));
    let time_range = TimeRange { start: Some(start), end: Some(end) };
    let fields: Vec<MetricField> = METRIC_FIELDS.into_iter().filter(|field| DRAWN.contains(&field.name)).collect();
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let length = NonZeroU32::new(bucket_seconds).unwrap_or(NonZeroU32::MIN);
    let query =
        BucketQuery::new(id, time_range, length, fields).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let buckets = storage.metric_buckets(&signed_in.reads()?, &query).await?;

    let mut metrics = Metrics {
        start: start.as_seconds(),
        end: end.as_seconds(),
        bucket_seconds,
        t: Vec::new(),
        count: Vec::new(),
        series: names.iter().map(|&name| (name, Column::default())).collect(),
    };
    for place in on_axis(&buckets, start, end, bucket_seconds, interval) {
        let bucket = match place {
            Place::Measured(index) => buckets.get(index),
            Place::Gap(at) => {
                metrics.push(at.as_seconds(), None, &names);
                continue;
            }
        };
        if let Some(bucket) = bucket {
            metrics.push(bucket.start.as_seconds(), Some(bucket), &names);
        }
    }
    Ok(HttpResponse::Ok().json(metrics))
}

impl Metrics {
    fn push(&mut self, at: i64, bucket: Option<&MetricBucket>, names: &[&'static str]) {
        self.t.push(at);
        self.count.push(bucket.map_or(0, |bucket| bucket.sample_count));
        for (position, &name) in names.iter().enumerate() {
            let value = bucket.and_then(|bucket| bucket.values.get(position).copied().flatten());
            self.series.entry(name).or_default().push(value);
        }
    }
}
