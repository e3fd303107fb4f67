//! Alert rules, the channels that tell of them, and what became of both.

mod channel;
mod condition;
mod event;
mod state;

use std::fmt;
use std::str::FromStr;

pub use self::channel::{AlertChannel, AlertTarget, InvalidWebhookUrl, WebhookUrl};
pub use self::condition::{
    AlertCondition, InvalidCondition, MetricThreshold, OfflineFor, RouteTarget, SpeedtestMinimum, ThresholdSide,
};
pub use self::event::{AlertDelivery, AlertDeliveryState, AlertEvent, AlertPhase};
pub use self::state::{AgentAlertState, AlertReading, AlertState};
use crate::named::named;
use crate::{AgentId, AlertChannelId, AlertRuleId, Timestamp};

/// A rule: which condition of which agents is told to which channels.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRule {
    /// Made by storage.
    pub id: AlertRuleId,
    /// What a person chose.
    pub definition: AlertRuleDefinition,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes, from 1: what was seen under an older revision says nothing of this one.
    pub revision: i64,
}

/// What a person chooses of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRuleDefinition {
    /// Need not be unique.
    pub name: AlertName,
    /// A rule that is not enabled is not looked at.
    pub enabled: bool,
    /// How much it matters.
    pub severity: AlertSeverity,
    /// Whom it watches.
    pub agents: AlertAgents,
    /// For what.
    pub condition: AlertCondition,
    /// Who is told; nobody if empty: then the history alone shows it.
    pub channels: Vec<AlertChannelId>,
}

impl AlertRule {
    /// Rules that an account may have.
    pub const MAX_PER_ACCOUNT: usize = 100;
}

/// The agents that a rule watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlertAgents {
    /// Every agent of the account that is not switched off, also those to come.
    All,
    /// One agent, which need not exist yet.
    One(AgentId),
}

impl AlertAgents {
    /// Whether the agent is among them.
    #[must_use]
    pub fn contains(&self, agent_id: &AgentId) -> bool {
        match self {
            Self::All => true,
            Self::One(id) => id == agent_id,
        }
    }
}

named! {
    /// How much an alert matters.
    AlertSeverity {
        /// Worth knowing.
        Info = "info",
        /// Worth looking at.
        Warning = "warning",
        /// Needs somebody now.
        Critical = "critical",
    }
}

/// The name of a rule or channel: 1 to 100 characters without control characters or surrounding space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlertName(String);

/// The text cannot name a rule or channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 100 characters, without control characters or surrounding space")]
pub struct InvalidAlertName;

impl AlertName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AlertName {
    type Err = InvalidAlertName;
    fn from_str(text: &str) -> Result<Self, InvalidAlertName> {
        let well_formed = !text.is_empty() && text.trim() == text && crate::clean_text(text, 100) == text;
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidAlertName) }
    }
}

impl fmt::Display for AlertName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_clean_text() {
        for good in ["x", "CPU above 90 %", &"ä".repeat(100)] {
            assert_eq!(good.parse::<AlertName>().expect(good).as_str(), good);
        }
        for bad in ["", " ", " x", "x ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(bad.parse::<AlertName>(), Err(InvalidAlertName), "{bad:?}");
        }
    }
}
