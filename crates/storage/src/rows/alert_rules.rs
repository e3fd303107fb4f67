//! Alert rules and the channels that they are told to.

use astranetmon_domain::{
    AccountId, AlertAgents, AlertChannelId, AlertCondition, AlertRule, AlertRuleDefinition, AlertRuleId, AlertSeverity,
    MetricThreshold, OfflineFor, RouteTarget, SpeedtestMinimum, ThresholdSide, Timestamp,
};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::alerts::{agent_id, bytes, uuid};
use super::{Result, foreign, json, time};
use crate::repository::WatchedRule;
use crate::schema::{alert_rule, alert_rule_channel};

/// How a condition is kept.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredCondition {
    MetricThreshold { field: String, side: String, value: f64, for_seconds: u32 },
    AgentOffline { for_seconds: u32 },
    SpeedtestBelow { download_mbps: Option<f64>, upload_mbps: Option<f64> },
    RouteChanged { target: Option<String> },
}

impl StoredCondition {
    fn of(condition: &AlertCondition) -> Self {
        match condition {
            AlertCondition::MetricThreshold(threshold) => Self::MetricThreshold {
                field: threshold.field().name.to_owned(),
                side: threshold.side().as_str().to_owned(),
                value: threshold.value(),
                for_seconds: threshold.for_seconds(),
            },
            AlertCondition::AgentOffline(offline) => Self::AgentOffline { for_seconds: offline.seconds() },
            AlertCondition::SpeedtestBelow(minimum) => {
                Self::SpeedtestBelow { download_mbps: minimum.download_mbps(), upload_mbps: minimum.upload_mbps() }
            }
            AlertCondition::RouteChanged { target } => {
                Self::RouteChanged { target: target.as_ref().map(|target| target.as_str().to_owned()) }
            }
        }
    }

    fn into_condition(self) -> Option<AlertCondition> {
        Some(match self {
            Self::MetricThreshold { field, side, value, for_seconds } => {
                let side = ThresholdSide::from_name(&side)?;
                AlertCondition::MetricThreshold(MetricThreshold::new(&field, side, value, for_seconds).ok()?)
            }
            Self::AgentOffline { for_seconds } => AlertCondition::AgentOffline(OfflineFor::new(for_seconds).ok()?),
            Self::SpeedtestBelow { download_mbps, upload_mbps } => {
                AlertCondition::SpeedtestBelow(SpeedtestMinimum::new(download_mbps, upload_mbps).ok()?)
            }
            Self::RouteChanged { target } => AlertCondition::RouteChanged {
                target: target.map(|target| RouteTarget::parse(&target)).transpose().ok()?,
            },
        })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = alert_rule, treat_none_as_null = true)]
pub(crate) struct AlertRuleRow {
    pub(crate) account_id: i64,
    pub(crate) id: Vec<u8>,
    name: String,
    pub(crate) enabled: bool,
    severity: String,
    agent_id: Option<String>,
    condition: String,
    created_at: i64,
    pub(crate) revision: i64,
    pub(crate) start_sequence: i64,
}

impl AlertRuleRow {
    pub(crate) fn new(
        account_id: AccountId,
        id: AlertRuleId,
        definition: &AlertRuleDefinition,
        start_sequence: i64,
        now: Timestamp,
    ) -> Self {
        Self {
            account_id: account_id.0,
            id: bytes(id.0),
            name: definition.name.as_str().to_owned(),
            enabled: definition.enabled,
            severity: definition.severity.as_str().to_owned(),
            agent_id: match &definition.agents {
                AlertAgents::All => None,
                AlertAgents::One(id) => Some(id.as_str().to_owned()),
            },
            condition: json(&StoredCondition::of(&definition.condition)),
            created_at: now.as_micros(),
            revision: 1,
            start_sequence,
        }
    }

    /// The same rule with another definition, one revision on.
    pub(crate) fn redefined(&self, definition: &AlertRuleDefinition, start_sequence: i64) -> Self {
        let id = AlertRuleId(Uuid::from_slice(&self.id).unwrap_or_default());
        let changed = Self::new(AccountId(self.account_id), id, definition, start_sequence, time(self.created_at));
        Self { id: self.id.clone(), revision: self.revision + 1, ..changed }
    }

    /// `channels`: those of this rule, by id.
    pub(crate) fn into_rule(self, channels: Vec<AlertChannelId>) -> Result<AlertRule> {
        let condition: StoredCondition =
            serde_json::from_str(&self.condition).map_err(|_| foreign("an alert's condition"))?;
        Ok(AlertRule {
            id: AlertRuleId(uuid(&self.id)?),
            definition: AlertRuleDefinition {
                name: self.name.parse().map_err(|_| foreign("an alert rule's name"))?,
                enabled: self.enabled,
                severity: AlertSeverity::from_name(&self.severity).ok_or_else(|| foreign("an alert's severity"))?,
                agents: match self.agent_id {
                    None => AlertAgents::All,
                    Some(id) => AlertAgents::One(agent_id(&id)?),
                },
                condition: condition.into_condition().ok_or_else(|| foreign("an alert's condition"))?,
                channels,
            },
            created_at: time(self.created_at),
            revision: self.revision,
        })
    }
}

impl AlertRuleRow {
    pub(crate) fn into_watched(self) -> Result<WatchedRule> {
        let (account_id, start_sequence) = (AccountId(self.account_id), self.start_sequence);
        Ok(WatchedRule { account_id, rule: self.into_rule(Vec::new())?, start_sequence })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = alert_rule_channel)]
pub(crate) struct AlertRuleChannelRow {
    account_id: i64,
    pub(crate) rule_id: Vec<u8>,
    channel_id: Vec<u8>,
}

impl AlertRuleChannelRow {
    /// One a channel, each channel once.
    pub(crate) fn of(account_id: AccountId, rule_id: &[u8], channels: &[AlertChannelId]) -> Vec<Self> {
        let mut channels = channels.to_vec();
        channels.sort_unstable();
        channels.dedup();
        let row = |channel: AlertChannelId| Self {
            account_id: account_id.0,
            rule_id: rule_id.to_vec(),
            channel_id: bytes(channel.0),
        };
        channels.into_iter().map(row).collect()
    }

    pub(crate) fn channel(&self) -> Result<AlertChannelId> {
        uuid(&self.channel_id).map(AlertChannelId)
    }
}

/// Puts rules and their channels together; both in the same order of rules, or `channels` in any.
pub(crate) fn rules_with_channels(
    rules: Vec<AlertRuleRow>,
    channels: &[AlertRuleChannelRow],
) -> Result<Vec<AlertRule>> {
    rules
        .into_iter()
        .map(|rule| {
            let own = channels.iter().filter(|channel| channel.rule_id == rule.id);
            let mut own: Vec<_> = own.map(AlertRuleChannelRow::channel).collect::<Result<_>>()?;
            own.sort_unstable();
            rule.into_rule(own)
        })
        .collect()
}
