//! The protocol by which agents send what they measured: the bodies they send, the checks that every row passes, and
//! the answer that names what became of it. No I/O; the server, the agent and the command line share it.
//!
//! A sender makes a [`MetricBatch`] of [`MetricRow`]s and reads an [`Answer`]. The receiver turns a body into domain
//! records with [`read_metrics`], [`read_speedtests`] or [`read_traceroutes`]: a body that cannot be read is refused as
//! a whole ([`UnreadableBody`]), a row with a bad value by itself ([`Refusal`]), and fields that nobody knows are
//! ignored and named once ([`IgnoredFields`]). What stands in other formats becomes rows of the same types and passes
//! the same checks ([`Batch::take`]).
//!
//! ```
//! use astranetmon_domain::{AgentId, Timestamp};
//! use astranetmon_ingest::{TimeBounds, read_metrics};
//!
//! let now = Timestamp::from_seconds(1_795_433_218);
//! let body = br#"{"metrics": [
//!     {"timestamp": "2026-11-23T11:26:58Z", "cpu_percent": 12.5, "fan": 3},
//!     {"timestamp": "2026-11-23T11:26:48Z", "cpu_percent": 120}
//! ]}"#;
//! let agent = AgentId::parse("agent-123").expect("well-formed");
//! let batch = read_metrics(body, &agent, &TimeBounds::keeping_days(now, 31)).expect("readable");
//! assert_eq!(batch.records()[0].cpu_percent, Some(12.5));
//! let (records, pending) = batch.into_records();
//! // Storage says which of the records it knew already, by their position.
//! let answer = pending.answer(&[]);
//! assert_eq!((records.len(), answer.taken, answer.refused), (1, 1, 1));
//! assert_eq!(answer.refused_rows[0].field.as_deref(), Some("cpu_percent"));
//! assert_eq!(answer.ignored_fields, ["fan"]);
//! ```

mod answer;
mod batch;
mod check;
mod envelope;
mod field;
pub mod foreign;
mod identity;
pub mod line_protocol;
mod row;
pub mod telegraf;
#[cfg(test)]
mod testing;
mod wire;

pub use answer::{Answer, RefusedRow};
pub use batch::{Batch, IgnoredFields, PendingAnswer, Refusal};
pub use check::{RowContext, TimeBounds, WireRow};
pub use envelope::{UnreadableBody, read_enroll, read_heartbeat, read_metrics, read_speedtests, read_traceroutes};
pub use wire::{
    Cost, EnrollAnswer, EnrollBody, Facts, Heartbeat, HeartbeatAnswer, HopRow, MetricBatch, MetricRow, Secret,
    SpeedtestBatch, SpeedtestRow, Spool, TracerouteBatch, TracerouteRow,
};

/// Most rows in one body.
pub const MAX_ROWS: usize = 10_000;
/// Longest body as it is sent, in bytes.
pub const MAX_ENCODED_BYTES: usize = 4 * 1024 * 1024;
/// Longest body once decompressed, in bytes.
pub const MAX_DECODED_BYTES: usize = 32 * 1024 * 1024;
