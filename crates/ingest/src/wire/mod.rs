//! What is sent, as it stands in JSON.

mod enrolment;
mod heartbeat;
mod metric;
mod speedtest;
mod traceroute;

pub use enrolment::{EnrollAnswer, EnrollBody, Secret};
pub use heartbeat::{Cost, Facts, Heartbeat, HeartbeatAnswer, Spool};
pub use metric::{MetricBatch, MetricRow};
pub use speedtest::{SpeedtestBatch, SpeedtestRow};
pub use traceroute::{HopRow, TracerouteBatch, TracerouteRow};

use std::fmt::Display;

use astranetmon_domain::Timestamp;
use serde::Serializer;

/// Writes a moment as `2026-11-23T11:26:58.123Z`.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn moment<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    display(moment, serializer)
}

/// Writes what has a text.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn display<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
