#![doc = include_str!("../README.md")]

mod account;
mod agent;
mod alert;
mod clock;
mod enrolment;
mod heartbeat;
mod id;
mod metric;
mod metric_field;
mod named;
mod page;
mod plan;
mod retention;
mod speedtest;
mod text;
mod time_range;
mod timestamp;
mod traceroute;

pub use account::{Account, AccountName, InvalidAccountName, InvalidEmail, User, UserEmail, UserRole};
pub use agent::{Agent, AgentFacts, AgentStatus};
pub use alert::{
    AgentAlertState, AlertAgents, AlertChannel, AlertCondition, AlertDelivery, AlertDeliveryState, AlertEvent,
    AlertName, AlertPhase, AlertReading, AlertRule, AlertRuleDefinition, AlertSeverity, AlertState, AlertTarget,
    InvalidAlertName, InvalidCondition, InvalidWebhookUrl, MetricThreshold, OfflineFor, RouteTarget, SpeedtestMinimum,
    ThresholdSide, WebhookUrl,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use enrolment::{EnrolmentTerms, InvalidEnrolment, InvalidLabel, MOST_LABELS, check_labels};
pub use heartbeat::{HealthReport, Heartbeat};
pub use id::{
    AccountId, AgentId, AlertChannelId, AlertDeliveryId, AlertEventId, AlertRuleId, ApiKeyId, EnrolmentId,
    InvalidAgentId, QuotaWindowId, SessionId, SpeedtestId, TracerouteId, UserId,
};
pub use metric::{METRIC_FIELDS, MetricColumns, MetricSample, NULL, to_fixed};
pub use metric_field::{MetricField, MetricFieldKind, UnknownMetricField};
pub use page::{
    AgentFilter, InvalidLimit, Limit, MetricPosition, Order, PageRequest, RecordFilter, RecordPosition,
    SpeedtestFilter, TracerouteFilter,
};
pub use plan::{Plan, UnknownPlan};
pub use retention::{InvalidRetention, Retention};
pub use speedtest::{Speedtest, SpeedtestStatus};
pub use text::clean_text;
pub use time_range::{InvalidMoment, TimeRange, is_relative_moment, parse_moment};
pub use timestamp::{Rfc3339Writer, Timestamp};
pub use traceroute::{Hop, Traceroute, TracerouteProtocol, TracerouteStatus, path_hash};

/// Rounds to a fixed number of decimals, the way every stored float is rounded on arrival.
///
/// Not-a-number and infinities are unknown, hence `None`.
#[must_use]
pub fn round_to(value: f64, decimals: u8) -> Option<f64> {
    let scale = 10f64.powi(i32::from(decimals));
    let scaled = (value * scale).round();
    (scaled.abs() < 9.0e15).then(|| scaled / scale)
}
