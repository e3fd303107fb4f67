use astranetmon_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::key::PlanName;
use super::{moment, optional_moment};

/// How much the key was used that the request was made with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageRecord {
    /// Plan of its account.
    pub(crate) plan: PlanName,
    /// Requests that the key may make in a window; `null` if unlimited.
    #[schema(example = 1000)]
    pub(crate) limit: Option<u32>,
    /// Requests made in the current window; if unlimited, requests served in the current hour.
    #[schema(example = 120)]
    pub(crate) used: u64,
    /// Requests left in the current window; `null` if unlimited.
    #[schema(example = 880)]
    pub(crate) remaining: Option<u32>,
    /// When the current window ends; `null` if unlimited. A window opens with its first request.
    #[serde(serialize_with = "optional_moment")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) reset_at: Option<Timestamp>,
    /// Length of a window, in seconds.
    #[schema(example = 3600)]
    pub(crate) window_seconds: u32,
    /// The last 24 hours of the clock (UTC), oldest first, the current one included.
    pub(crate) hours: Vec<UsageHour>,
}

/// Requests within one hour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageHour {
    /// Start of the hour.
    #[serde(serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:00:00.000Z")]
    pub(crate) hour: Timestamp,
    /// Requests that were served.
    #[schema(example = 120)]
    pub(crate) served_count: u64,
    /// Requests that were refused for the plan limit.
    #[schema(example = 0)]
    pub(crate) refused_count: u64,
}
