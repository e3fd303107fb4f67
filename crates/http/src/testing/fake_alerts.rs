//! Alerts are not in the storage of plain lists.

use std::time::Duration;

use astranetmon_auth::{ManageAccount, Operator, ReadAlerts, Scope};
use astranetmon_domain::{
    AccountId, AgentAlertState, AlertChannel, AlertChannelId, AlertDelivery, AlertDeliveryId, AlertEventId, AlertRule,
    AlertRuleDefinition, AlertRuleId, Timestamp,
};
use astranetmon_storage::{
    AlertBoard, AlertChange, AlertChannelRepository, AlertDestination, AlertEventPage, AlertEventPosition,
    AlertHistory, AlertInputs, AlertJob, AlertQuery, AlertRuleRepository, DeliveryOutcome, DueDelivery, Lease,
    LeaseRepository, NewAlertChannel, StorageError, WatchedRule,
};
use async_trait::async_trait;

use super::fake_storage::{FakeStorage, absent};

type Result<T> = std::result::Result<T, StorageError>;

#[async_trait]
impl AlertRuleRepository for FakeStorage {
    async fn alert_rule_create(
        &self,
        _: &Scope<ManageAccount>,
        _: &AlertRuleDefinition,
        _: Timestamp,
    ) -> Result<AlertRule> {
        absent()
    }
    async fn alert_rule_list(&self, _: &Scope<ReadAlerts>) -> Result<Vec<AlertRule>> {
        absent()
    }
    async fn alert_rule_find(&self, _: &Scope<ReadAlerts>, _: AlertRuleId) -> Result<Option<AlertRule>> {
        absent()
    }
    async fn alert_rule_update(
        &self,
        _: &Scope<ManageAccount>,
        _: AlertRuleId,
        _: &AlertRuleDefinition,
        _: Timestamp,
    ) -> Result<Option<AlertRule>> {
        absent()
    }
    async fn alert_rule_set_enabled(
        &self,
        _: &Scope<ManageAccount>,
        _: AlertRuleId,
        _: bool,
        _: Timestamp,
    ) -> Result<Option<AlertRule>> {
        absent()
    }
    async fn alert_rule_delete(&self, _: &Scope<ManageAccount>, _: AlertRuleId, _: Timestamp) -> Result<bool> {
        absent()
    }
}

#[async_trait]
impl AlertChannelRepository for FakeStorage {
    async fn alert_channel_create(
        &self,
        _: &Scope<ManageAccount>,
        _: &NewAlertChannel,
        _: Timestamp,
    ) -> Result<AlertChannel> {
        absent()
    }
    async fn alert_channel_list(&self, _: &Scope<ReadAlerts>) -> Result<Vec<AlertChannel>> {
        absent()
    }
    async fn alert_channel_destination(
        &self,
        _: &Scope<ManageAccount>,
        _: AlertChannelId,
    ) -> Result<Option<(AlertChannel, AlertDestination)>> {
        absent()
    }
    async fn alert_channel_delete(&self, _: &Scope<ManageAccount>, _: AlertChannelId, _: Timestamp) -> Result<bool> {
        absent()
    }
}

#[async_trait]
impl AlertHistory for FakeStorage {
    async fn alert_state_list(&self, _: &Scope<ReadAlerts>) -> Result<Vec<AgentAlertState>> {
        absent()
    }
    async fn alert_event_page(
        &self,
        _: &Scope<ReadAlerts>,
        _: Option<AlertRuleId>,
        _: Option<AlertEventPosition>,
        _: u32,
    ) -> Result<AlertEventPage> {
        absent()
    }
    async fn alert_delivery_list(&self, _: &Scope<ReadAlerts>, _: AlertEventId) -> Result<Vec<AlertDelivery>> {
        absent()
    }
}

#[async_trait]
impl AlertJob for FakeStorage {
    async fn alert_watched_rules(&self, _: &Operator) -> Result<Vec<WatchedRule>> {
        absent()
    }
    async fn alert_board(&self, _: &Operator, _: AccountId) -> Result<AlertBoard> {
        absent()
    }
    async fn alert_inputs(&self, _: &Operator, _: AccountId, _: &AlertQuery) -> Result<AlertInputs> {
        absent()
    }
    async fn alert_apply(
        &self,
        _: &Lease,
        _: AccountId,
        _: &[AlertChange],
        _: Option<i64>,
        _: Timestamp,
    ) -> Result<()> {
        absent()
    }
    async fn alert_delivery_claim(&self, _: &Lease, _: u32, _: Timestamp, _: Timestamp) -> Result<Vec<DueDelivery>> {
        absent()
    }
    async fn alert_delivery_settle(
        &self,
        _: &Lease,
        _: AccountId,
        _: AlertDeliveryId,
        _: &DeliveryOutcome,
        _: Timestamp,
    ) -> Result<()> {
        absent()
    }
}

#[async_trait]
impl LeaseRepository for FakeStorage {
    async fn lease_acquire(
        &self,
        _: &Operator,
        _: &'static str,
        _: &str,
        _: Duration,
        _: Timestamp,
    ) -> Result<Option<Lease>> {
        absent()
    }
    async fn lease_renew(&self, _: &Lease, _: Duration, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn lease_release(&self, _: &Lease) -> Result<()> {
        absent()
    }
}
