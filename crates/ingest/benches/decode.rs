//! How many rows of metrics one core reads and checks a second, in bodies of 1,000 rows of 28 fields.

use std::time::{Duration, Instant};

use astranetmon_domain::{AgentId, METRIC_FIELDS, MetricSample, Timestamp};
use astranetmon_ingest::{MetricBatch, MetricRow, TimeBounds, read_metrics};

const ROWS: i64 = 1_000;
const LASTS: Duration = Duration::from_secs(2);

fn main() {
    let now = Timestamp::from_seconds(1_795_433_218);
    let agent = AgentId::parse("web-1").expect("an id");
    let rows = (0..ROWS).map(|row| {
        let values = METRIC_FIELDS.map(|field| match field.name {
            "interval_seconds" => 10,
            name if name.ends_with("_percent") => 1_234 + row,
            name if name.contains("bytes") => 16_777_216_000 + row * 4_096,
            _ => 345 + row % 500,
        });
        MetricRow::from(&MetricSample::from_fixed_values(agent.clone(), now.plus_seconds(-10 * row), &values))
    });
    let body = serde_json::to_vec(&MetricBatch { metrics: rows.collect() }).expect("written");
    let bounds = TimeBounds::keeping_days(now, 31);
    let (began_at, mut bodies) = (Instant::now(), 0_u32);
    while began_at.elapsed() < LASTS {
        let batch = read_metrics(&body, &agent, &bounds).expect("readable");
        assert_eq!(batch.records().len(), 1_000);
        bodies += 1;
    }
    let rate = f64::from(bodies) * 1_000.0 / began_at.elapsed().as_secs_f64();
    println!("{rate:.0} rows/s, {} bytes a row", body.len() / 1_000);
}
