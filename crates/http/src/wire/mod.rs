//! What answers look like: the types behind the JSON and its schemas. Neither domain types nor rows.
//!
//! Every key is always present; unknown is `null`. A name once published is never renamed, retyped or removed.

mod agent;
mod key;
mod latest;
mod metric;
mod problem;
mod speedtest;
mod traceroute;
mod usage;

pub(crate) use agent::{AgentList, AgentRecord};
pub(crate) use key::KeyRecord;
pub(crate) use latest::{AgentWithLatest, LatestRecord, Overview, OverviewRecord};
pub(crate) use metric::{MetricAggregateRecord, MetricList, MetricRecord};
pub(crate) use problem::{ErrorBody, ProblemBody};
pub(crate) use speedtest::{SpeedtestList, SpeedtestRecord};
pub(crate) use traceroute::{TracerouteList, TracerouteRecord};
pub(crate) use usage::{UsageHour, UsageRecord};

use astranetmon_domain::Timestamp;
use serde::Serializer;
use utoipa::ToSchema;

/// Names an agent within its account.
#[derive(ToSchema)]
#[schema(as = AgentId, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "agent-123")]
#[expect(dead_code, reason = "what an id looks like, once for all that have one; the ids themselves are the domain's")]
pub(crate) struct AgentIdText(String);

/// Serializes through `Display`.
pub(crate) fn display<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Serializes as RFC 3339, UTC, milliseconds.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(crate) fn moment<S: Serializer>(value: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let text = value.write_rfc3339();
    serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
}

/// Serializes as RFC 3339, UTC, milliseconds; `null` where unknown.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(crate) fn optional_moment<S: Serializer>(value: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => moment(value, serializer),
        None => serializer.serialize_none(),
    }
}
