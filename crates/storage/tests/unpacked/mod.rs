//! Metrics as they were before `packed_metrics`, to be found again behind it.

use std::sync::Arc;

use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{AccountId, AgentId, Limit, MetricSample, PageRequest, RecordFilter, Timestamp};
use astranetmon_storage::{Appended, Storage};

/// Tells the migration runner that the foundation is there.
pub(crate) const STATEMENTS: &str = "
    CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20261123120000');
    INSERT INTO account (id, name, plan, created_at) VALUES (7, 'old', 'starter', 0);";

pub(crate) const ROWS: &str = "
    INSERT INTO metric (account_id, agent_id, timestamp, received_at, sequence, interval_seconds, cpu_percent, load_1,
                        memory_total_bytes, latency_ms, temperature_celsius, uptime_seconds)
    VALUES (7, 'a', 1794000000000000, 1, 1, 60, 33.35, 0.0, 9223372036854775807, 0.001, -3.5, -1);
    INSERT INTO metric (account_id, agent_id, timestamp, received_at, sequence) VALUES (7, 'b', 1000, 1, 2);";

/// The rows are what they were, and can still be filled.
pub(crate) async fn check(storage: Arc<dyn Storage>) {
    let account = AccountId(7);
    let sample =
        |agent: &str, micros| MetricSample::new(AgentId::parse(agent).expect("an id"), Timestamp::from_micros(micros));
    let full = MetricSample {
        interval_seconds: Some(60),
        cpu_percent: Some(33.35),
        load_1: Some(0.0),
        memory_total_bytes: Some(i64::MAX),
        latency_ms: Some(0.001),
        temperature_celsius: Some(-3.5),
        uptime_seconds: Some(-1),
        ..sample("a", 1_794_000_000_000_000)
    };
    let empty = sample("b", 1_000);
    let read: Scope<ReadMetrics> = Scope::system(account, "test");
    let newest = PageRequest::new(Limit::LARGEST, None);
    let page = storage.metric_page(&read, &RecordFilter::ALL, &newest).await.expect("a page");
    let rows: Vec<_> = (0..page.columns.len()).map(|row| page.columns.sample(row)).collect();
    assert_eq!(rows, [full, empty.clone()]);

    let ingest: Scope<Ingest> = Scope::system(account, "test");
    let fills = MetricSample { load_5: Some(1.5), ..empty };
    let appended = storage.metric_append(&ingest, vec![fills], Timestamp::from_seconds(1)).await.expect("appended");
    assert_eq!(appended, Appended { filled: 1, ..Appended::default() });
}
