use crate::{AgentId, AlertEventId, AlertRuleId, Timestamp};

/// How a rule stands with one agent. A pair of which storage knows nothing is [`AlertState::Ok`].
#[derive(Clone, Debug, PartialEq)]
pub struct AgentAlertState {
    /// The rule.
    pub rule_id: AlertRuleId,
    /// The agent.
    pub agent_id: AgentId,
    /// How they stand.
    pub state: AlertState,
    /// What the state was last decided on.
    pub reading: Option<AlertReading>,
}

/// How a rule stands with an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// The condition does not hold.
    Ok,
    /// It holds, but not for long enough yet.
    Pending {
        /// Since then.
        since: Timestamp,
    },
    /// It holds.
    Firing {
        /// It fired then.
        since: Timestamp,
        /// The event of the history that is open.
        event_id: AlertEventId,
    },
}

impl AlertState {
    /// Its name in storage and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending { .. } => "pending",
            Self::Firing { .. } => "firing",
        }
    }
}

/// A measured value that a state was decided on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlertReading {
    /// The metric in its own unit, seconds without a report, or Mbps.
    pub value: f64,
    /// When it was measured.
    pub at: Timestamp,
}
