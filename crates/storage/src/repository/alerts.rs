use std::collections::HashMap;

use astranetmon_auth::{ManageAccount, Operator, ReadAlerts, Scope, WebhookSecret};
use astranetmon_domain::{
    AccountId, AgentAlertState, AgentId, AlertChannel, AlertChannelId, AlertDelivery, AlertDeliveryId, AlertEvent,
    AlertEventId, AlertName, AlertPhase, AlertRule, AlertRuleDefinition, AlertRuleId, AlertTarget, MetricSample,
    Timestamp, UserEmail, WebhookUrl,
};
use async_trait::async_trait;

use super::Result;
use super::leases::Lease;

/// A channel to be added.
#[derive(Clone, Debug)]
pub struct NewAlertChannel {
    /// Need not be unique.
    pub name: AlertName,
    /// Where, and for a webhook what signs.
    pub destination: AlertDestination,
}

/// Where a message goes, with what its delivery needs.
#[derive(Clone, Debug)]
pub enum AlertDestination {
    /// `POST` of signed JSON.
    Webhook {
        /// To this URL.
        url: WebhookUrl,
        /// What signs.
        secret: WebhookSecret,
    },
    /// A message.
    Email {
        /// To this address.
        to: UserEmail,
    },
}

impl AlertDestination {
    /// The same without its secret.
    #[must_use]
    pub fn target(&self) -> AlertTarget {
        match self {
            Self::Webhook { url, .. } => AlertTarget::Webhook { url: url.clone() },
            Self::Email { to } => AlertTarget::Email { to: to.clone() },
        }
    }
}

/// Where an event stands in the order newest first: by the time it fired, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertEventPosition {
    /// When it fired.
    pub fired_at: Timestamp,
    /// Its id.
    pub id: AlertEventId,
}

/// Some events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertEventPage {
    /// Newest first.
    pub events: Vec<AlertEvent>,
    /// Whether events remain behind these.
    pub more: bool,
}

/// Alert rules.
#[async_trait]
pub trait AlertRuleRepository: Send + Sync {
    /// Keeps a new rule. Audited as `alert_rule.create`.
    ///
    /// # Errors
    /// [`StorageError::TooMany`](crate::StorageError::TooMany) with [`AlertRule::MAX_PER_ACCOUNT`] rules,
    /// [`StorageError::Missing`](crate::StorageError::Missing) if a channel is not the account's.
    async fn alert_rule_create(
        &self,
        scope: &Scope<ManageAccount>,
        definition: &AlertRuleDefinition,
        now: Timestamp,
    ) -> Result<AlertRule>;

    /// The account's rules, newest first.
    async fn alert_rule_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AlertRule>>;

    /// One rule.
    async fn alert_rule_find(&self, scope: &Scope<ReadAlerts>, id: AlertRuleId) -> Result<Option<AlertRule>>;

    /// Replaces what a person chose. What fired under the old definition is resolved without a message, and the rule
    /// begins anew. `None` if there is no such rule in the account. Audited as `alert_rule.update`.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) if a channel is not the account's.
    async fn alert_rule_update(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertRuleId,
        definition: &AlertRuleDefinition,
        now: Timestamp,
    ) -> Result<Option<AlertRule>>;

    /// Switches a rule on or off; otherwise as [`AlertRuleRepository::alert_rule_update`]. A rule that is as it shall be
    /// stays as it is, without an entry in the audit log. Audited as `alert_rule.enable` and `alert_rule.disable`.
    async fn alert_rule_set_enabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertRuleId,
        enabled: bool,
        now: Timestamp,
    ) -> Result<Option<AlertRule>>;

    /// Forgets a rule; its events stay, resolved. Whether there was one. Audited as `alert_rule.delete`.
    async fn alert_rule_delete(&self, scope: &Scope<ManageAccount>, id: AlertRuleId, now: Timestamp) -> Result<bool>;
}

/// The channels that alerts are told to.
#[async_trait]
pub trait AlertChannelRepository: Send + Sync {
    /// Keeps a new channel. Audited as `alert_channel.create`.
    ///
    /// # Errors
    /// [`StorageError::TooMany`](crate::StorageError::TooMany) with [`AlertChannel::MAX_PER_ACCOUNT`] channels.
    async fn alert_channel_create(
        &self,
        scope: &Scope<ManageAccount>,
        channel: &NewAlertChannel,
        now: Timestamp,
    ) -> Result<AlertChannel>;

    /// The account's channels, newest first.
    async fn alert_channel_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AlertChannel>>;

    /// A channel with what a delivery needs, for a test message. To be asked by those who manage channels.
    async fn alert_channel_destination(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertChannelId,
    ) -> Result<Option<(AlertChannel, AlertDestination)>>;

    /// Forgets a channel, takes it out of all rules, and gives up what was on its way to it. Whether there was one.
    /// Audited as `alert_channel.delete`.
    async fn alert_channel_delete(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertChannelId,
        now: Timestamp,
    ) -> Result<bool>;
}

/// How alerts stand and what became of them.
#[async_trait]
pub trait AlertHistory: Send + Sync {
    /// How the account's rules stand, by rule and agent; pairs that never were anything but ok are absent.
    async fn alert_state_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AgentAlertState>>;

    /// The history behind `after`, newest first, of one rule or of all.
    async fn alert_event_page(
        &self,
        scope: &Scope<ReadAlerts>,
        rule_id: Option<AlertRuleId>,
        after: Option<AlertEventPosition>,
        limit: u32,
    ) -> Result<AlertEventPage>;

    /// How the messages about one event fare, oldest first.
    async fn alert_delivery_list(
        &self,
        scope: &Scope<ReadAlerts>,
        event_id: AlertEventId,
    ) -> Result<Vec<AlertDelivery>>;
}

/// A rule that is to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedRule {
    /// Its account.
    pub account_id: AccountId,
    /// The rule; its channels are left out, since events find them when they are written.
    pub rule: AlertRule,
    /// The account's ingestion sequence when the rule got its revision: it looks at later records only.
    pub start_sequence: i64,
}

/// What an evaluation of one account needs to know.
#[derive(Clone, Debug)]
pub struct AlertQuery {
    /// Agents whose samples are wanted, each with the time behind which; nobody's if empty.
    pub samples_after: Vec<(AgentId, Timestamp)>,
    /// The end of that time for all of them, excluded: a clock that is wrong must not hide what comes later.
    pub samples_before: Timestamp,
    /// Records are wanted whose ingestion sequence is greater; none if `None`.
    pub records_after: Option<i64>,
}

/// An agent as alerts see it.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedAgent {
    /// The agent.
    pub id: AgentId,
    /// Its alias, or its hostname.
    pub name: String,
    /// When it last reported.
    pub last_seen_at: Option<Timestamp>,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Seconds between its samples, if it said so.
    pub interval_seconds: Option<u32>,
}

/// A traceroute whose path changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedRoute {
    /// Its agent.
    pub agent_id: AgentId,
    /// Its target, as asked.
    pub target: String,
    /// When it was traced.
    pub at: Timestamp,
    /// Its ingestion sequence.
    pub sequence: i64,
}

/// A completed speed test.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredSpeed {
    /// Its agent.
    pub agent_id: AgentId,
    /// When it began.
    pub at: Timestamp,
    /// In Mbps, if measured.
    pub download_mbps: Option<f64>,
    /// In Mbps, if measured.
    pub upload_mbps: Option<f64>,
    /// Its ingestion sequence.
    pub sequence: i64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertInputs {
    /// In the order in which the agents were asked for, those of an agent oldest first.
    pub samples: Vec<MetricSample>,
    /// Whether samples remain behind these, of the last agent here and of those that were asked for after it.
    pub more_samples: bool,
    /// In the order of their sequence.
    pub speedtests: Vec<MeasuredSpeed>,
    /// In the order of their sequence.
    pub changed_routes: Vec<ChangedRoute>,
    /// Up to this sequence all records are here; 0 if none were asked for. There may be more behind it.
    pub records_up_to: i64,
}

impl AlertQuery {
    /// Samples of one answer.
    pub const MAX_SAMPLES: usize = 20_000;
    /// Speed tests of one answer, and changed routes.
    pub const MAX_RECORDS: usize = 1_000;
}

/// How an account's alerts stood before an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertBoard {
    /// Every agent of the account.
    pub agents: Vec<WatchedAgent>,
    /// By rule and agent.
    pub states: HashMap<(AlertRuleId, AgentId), AgentAlertState>,
    /// Up to this ingestion sequence records have been looked at; 0 if never.
    pub records_up_to: i64,
}

/// What an evaluation found out of one pair of rule and agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertChange {
    /// The rule.
    pub rule_id: AlertRuleId,
    /// The revision that was evaluated; if the rule has another by now, nothing is written.
    pub revision: i64,
    /// How the pair stands from now on; `None`: as before.
    pub state: Option<AgentAlertState>,
    /// Events that begin or end, in this order, and are told to the rule's channels.
    pub events: Vec<AlertEventChange>,
}

/// An event that begins or ends.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertEventChange {
    /// It begins; if it is resolved already, only that it fired is told.
    Fired(AlertEvent),
    /// It ends.
    Resolved {
        /// The event.
        id: AlertEventId,
        /// When.
        at: Timestamp,
        /// How, for a person.
        resolution: String,
    },
}

/// A message that is due.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    /// Its account.
    pub account_id: AccountId,
    /// The delivery.
    pub id: AlertDeliveryId,
    /// What of the event is told.
    pub phase: AlertPhase,
    /// Attempts, this one included.
    pub attempt: u32,
    /// What is told.
    pub event: AlertEvent,
    /// Where.
    pub destination: AlertDestination,
}

/// How an attempt to deliver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It arrived.
    Delivered,
    /// It did not, and is tried again at that time; with the reason.
    Retry {
        /// Not before then.
        at: Timestamp,
        /// Why it failed, for a person.
        error: String,
    },
    /// It did not, and is given up; with the reason.
    Failed {
        /// Why, for a person.
        error: String,
    },
}

/// Alerts as the job sees them that evaluates the rules and delivers the messages. Whatever it writes carries its
/// [`Lease`]; a lease that has gone to another holder writes nothing.
#[async_trait]
pub trait AlertJob: Send + Sync {
    /// Every enabled rule of every account, by account.
    async fn alert_watched_rules(&self, operator: &Operator) -> Result<Vec<WatchedRule>>;

    /// How one account's alerts stand.
    async fn alert_board(&self, operator: &Operator, account_id: AccountId) -> Result<AlertBoard>;

    /// What was measured in one account.
    async fn alert_inputs(&self, operator: &Operator, account_id: AccountId, query: &AlertQuery)
    -> Result<AlertInputs>;

    /// Writes what an evaluation of one account found out, events with their messages, and up to which sequence records
    /// were looked at, in one transaction.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`](crate::StorageError::LeaseLost) without having written anything.
    async fn alert_apply(
        &self,
        lease: &Lease,
        account_id: AccountId,
        changes: &[AlertChange],
        records_up_to: Option<i64>,
        now: Timestamp,
    ) -> Result<()>;

    /// Takes messages that are due, the longest due first, and puts their next attempt off until `retry_at`: should
    /// this process end meanwhile, they are tried again then.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`](crate::StorageError::LeaseLost) without having taken anything.
    async fn alert_delivery_claim(
        &self,
        lease: &Lease,
        limit: u32,
        retry_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DueDelivery>>;

    /// Writes how an attempt ended.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`](crate::StorageError::LeaseLost) without having written anything.
    async fn alert_delivery_settle(
        &self,
        lease: &Lease,
        account_id: AccountId,
        id: AlertDeliveryId,
        outcome: &DeliveryOutcome,
        now: Timestamp,
    ) -> Result<()>;
}
