#![doc = include_str!("../README.md")]

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
