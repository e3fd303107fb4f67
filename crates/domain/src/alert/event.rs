use super::{AlertName, AlertSeverity};
use crate::named::named;
use crate::{AgentId, AlertChannelId, AlertDeliveryId, AlertEventId, AlertRuleId, Timestamp};

/// One event of an alert's history: it fired, and perhaps it was resolved. It keeps what it was about, so that it can
/// be read after its rule has changed or gone.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEvent {
    /// Made when it fired.
    pub id: AlertEventId,
    /// The rule, which may be gone.
    pub rule_id: AlertRuleId,
    /// Its name when it fired.
    pub rule_name: AlertName,
    /// Its severity when it fired.
    pub severity: AlertSeverity,
    /// Its condition's kind, as [`AlertCondition::kind`](crate::AlertCondition::kind) names it.
    pub kind: String,
    /// The agent.
    pub agent_id: AgentId,
    /// The agent's alias or hostname when it fired.
    pub agent_name: String,
    /// When it fired.
    pub fired_at: Timestamp,
    /// When it was resolved; equal to `fired_at` for a changed route, which is over when it is told.
    pub resolved_at: Option<Timestamp>,
    /// What it fired on: the metric, seconds without a report, or Mbps.
    pub value: Option<f64>,
    /// What the value was beyond.
    pub threshold: Option<f64>,
    /// What happened, for a person: plain text of one sentence.
    pub sentence: String,
    /// How it was resolved, likewise.
    pub resolution: Option<String>,
}

named! {
    /// Of what a message tells.
    AlertPhase {
        /// That the alert fired.
        Fired = "fired",
        /// That it was resolved.
        Resolved = "resolved",
    }
}

/// One event on its way to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertDelivery {
    /// Made by storage.
    pub id: AlertDeliveryId,
    /// What is told.
    pub event_id: AlertEventId,
    /// What of it.
    pub phase: AlertPhase,
    /// Where.
    pub channel_id: AlertChannelId,
    /// How far it is.
    pub state: AlertDeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// Why the last attempt failed, for a person; `None` if none did.
    pub last_error: Option<String>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertDeliveryState {
    /// It waits for its next attempt.
    Queued {
        /// Not before then.
        next_attempt_at: Timestamp,
    },
    /// It arrived.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It was given up.
    Failed {
        /// When.
        at: Timestamp,
    },
}

impl AlertDeliveryState {
    /// Its name in storage and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
        }
    }
}
