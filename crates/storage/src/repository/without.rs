//! Storages that keep a part of what the service can.

use std::time::Duration;

use astranetmon_auth::{
    ApiKeyRecord, EnrolmentHash, EnrolmentRecord, Ingest, ManageAccount, NewApiKey, NewEnrolment, NewSession, Operator,
    OwnUser, PasswordHash, ReadAccount, ReadAgents, ReadAlerts, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope,
    SessionRecord, SetupHash,
};
use astranetmon_domain::{
    Account, AccountId, AccountName, AgentAlertState, AgentId, AlertChannel, AlertChannelId, AlertDelivery,
    AlertDeliveryId, AlertEventId, AlertRule, AlertRuleDefinition, AlertRuleId, ApiKeyId, EnrolmentId, Heartbeat,
    Limit, MetricColumns, MetricSample, Plan, RecordFilter, Retention, SessionId, Speedtest, SpeedtestFilter,
    Timestamp, Traceroute, TracerouteFilter, User, UserEmail, UserId, UserRole,
};
use async_trait::async_trait;

use super::{
    AccountRepository, AgentAdministration, AgentEdit, AgentHealth, AlertBoard, AlertChange, AlertChannelRepository,
    AlertDestination, AlertEventPage, AlertEventPosition, AlertHistory, AlertInputs, AlertJob, AlertQuery,
    AlertRuleRepository, ApiKeyRepository, ArrivalPosition, ArrivalRepository, Arrivals, AuditEntry, AuditPage,
    AuditPosition, AuditRepository, DeliveryOutcome, DueDelivery, EnrolRequest, Enrolled, EnrolmentRepository,
    FirstOwner, FleetRepository, FleetRow, IngestRetention, LatestRepository, Lease, LeaseRepository, NewAlertChannel,
    NewUser, Result, RetentionCursor, RetentionJob, RetentionRepository, RetentionSetting, RetentionStep,
    SessionRepository, Setup, SetupRepository, UserRepository, WatchedRule,
};
use crate::StorageError;

/// A storage that looks after nobody: no accounts, people, sessions, set-up, making of keys, enrolment, audit log or
/// choice of retention. Its keys come from elsewhere, by [`KeyLookup`](astranetmon_auth::KeyLookup).
///
/// This trait, like [`WithoutAlerts`], [`WithoutJobs`] and [`OnlyLists`], has no methods. A storage that implements it
/// has the traits that it names, and each of their calls ends in [`StorageError::Unsupported`], which the API answers
/// with 501. So a storage of somebody else's begins with the lists and grows from there: a part that it comes to keep
/// is a marker less.
///
/// ```
/// use astranetmon_domain::AccountName;
/// use astranetmon_storage::{AccountRepository, StorageError, WithoutAdministration};
/// # use astranetmon_auth::Operator;
///
/// struct Shelf;
/// impl WithoutAdministration for Shelf {}
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let name: AccountName = "acme".parse().expect("a name");
/// let found = Shelf.account_find_by_name(&Operator::new("example"), &name).await;
/// assert!(matches!(found, Err(StorageError::Unsupported { what: "accounts" })));
/// # }
/// ```
pub trait WithoutAdministration: Send + Sync {}

/// A storage without alerts: rules, channels, history, and what their job needs.
/// See [`WithoutAdministration`].
pub trait WithoutAlerts: Send + Sync {}

/// A storage without jobs of ours: it ends old records by itself, or never, and gives no leases.
/// See [`WithoutAdministration`].
pub trait WithoutJobs: Send + Sync {}

/// A storage that reads lists and single records, and neither overviews nor the order of arrival (`/overview`,
/// `include=latest`, `/stream` and `after=` of the API). See [`WithoutAdministration`].
pub trait OnlyLists: Send + Sync {}

fn unsupported<T>(what: &'static str) -> Result<T> {
    Err(StorageError::Unsupported { what })
}

#[async_trait]
impl<T: WithoutAdministration> AccountRepository for T {
    async fn account_create(&self, _: &Operator, _: &AccountName, _: Plan, _: Timestamp) -> Result<Account> {
        unsupported("accounts")
    }

    async fn account_list(&self, _: &Operator) -> Result<Vec<Account>> {
        unsupported("accounts")
    }

    async fn account_find_by_name(&self, _: &Operator, _: &AccountName) -> Result<Option<Account>> {
        unsupported("accounts")
    }

    async fn account_find(&self, _: &Operator, _: AccountId) -> Result<Option<Account>> {
        unsupported("accounts")
    }

    async fn account_set_plan(&self, _: &Scope<ManageAccount>, _: Plan, _: Timestamp) -> Result<Option<Account>> {
        unsupported("accounts")
    }
}

#[async_trait]
impl<T: WithoutAdministration> UserRepository for T {
    async fn user_create(&self, _: &Scope<ManageAccount>, _: &NewUser, _: Timestamp) -> Result<User> {
        unsupported("people")
    }

    async fn user_list(&self, _: &Scope<ReadAccount>) -> Result<Vec<User>> {
        unsupported("people")
    }

    async fn user_find_by_email(&self, _: &Operator, _: &UserEmail) -> Result<Option<User>> {
        unsupported("people")
    }

    async fn user_find_to_sign_in(&self, _: &Operator, _: &UserEmail) -> Result<Option<(User, Option<PasswordHash>)>> {
        unsupported("people")
    }

    async fn user_set_password(
        &self,
        _: &Scope<ManageAccount>,
        _: UserId,
        _: &PasswordHash,
        _: Timestamp,
    ) -> Result<Option<User>> {
        unsupported("people")
    }

    async fn user_change_password(
        &self,
        _: &Scope<OwnUser>,
        _: UserId,
        _: &PasswordHash,
        _: Timestamp,
    ) -> Result<Option<User>> {
        unsupported("people")
    }

    async fn user_set_disabled(
        &self,
        _: &Scope<ManageAccount>,
        _: UserId,
        _: bool,
        _: Timestamp,
    ) -> Result<Option<User>> {
        unsupported("people")
    }

    async fn user_set_role(
        &self,
        _: &Scope<ManageAccount>,
        _: UserId,
        _: UserRole,
        _: Timestamp,
    ) -> Result<Option<User>> {
        unsupported("people")
    }
}

#[async_trait]
impl<T: WithoutAdministration> SetupRepository for T {
    async fn setup_is_open(&self, _: &Operator) -> Result<bool> {
        unsupported("people")
    }

    async fn setup_offer(&self, _: &Operator, _: &SetupHash, _: Timestamp) -> Result<bool> {
        unsupported("people")
    }

    async fn setup_complete(&self, _: &Operator, _: &SetupHash, _: &FirstOwner, _: Timestamp) -> Result<Setup> {
        unsupported("people")
    }
}

#[async_trait]
impl<T: WithoutAdministration> SessionRepository for T {
    async fn session_create(&self, _: &Operator, _: &NewSession, _: Timestamp) -> Result<Option<SessionRecord>> {
        unsupported("sessions")
    }

    async fn session_list(&self, _: &Scope<OwnUser>, _: UserId, _: Timestamp) -> Result<Vec<SessionRecord>> {
        unsupported("sessions")
    }

    async fn session_end(&self, _: &Scope<OwnUser>, _: UserId, _: SessionId, _: Timestamp) -> Result<bool> {
        unsupported("sessions")
    }

    async fn session_seen(&self, _: &Operator, _: SessionId, _: Timestamp) -> Result<()> {
        unsupported("sessions")
    }

    /// There are none to forget, and the service's own job asks each hour.
    async fn session_sweep(&self, _: &Operator, _: Timestamp) -> Result<u64> {
        Ok(0)
    }
}

#[async_trait]
impl<T: WithoutAdministration> ApiKeyRepository for T {
    async fn api_key_create(&self, _: &Scope<ManageAccount>, _: &NewApiKey, _: Timestamp) -> Result<ApiKeyRecord> {
        unsupported("keys of its own")
    }

    async fn api_key_list(&self, _: &Scope<ReadAccount>) -> Result<Vec<ApiKeyRecord>> {
        unsupported("keys of its own")
    }

    async fn api_key_roll(
        &self,
        _: &Scope<ManageAccount>,
        _: ApiKeyId,
        _: &NewApiKey,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        unsupported("keys of its own")
    }

    async fn api_key_revoke(
        &self,
        _: &Scope<ManageAccount>,
        _: ApiKeyId,
        _: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        unsupported("keys of its own")
    }
}

#[async_trait]
impl<T: WithoutAdministration> EnrolmentRepository for T {
    async fn enrolment_list(&self, _: &Scope<ReadAccount>) -> Result<Vec<EnrolmentRecord>> {
        unsupported("enrolment tokens")
    }

    async fn enrolment_create(
        &self,
        _: &Scope<ManageAccount>,
        _: &NewEnrolment,
        _: Timestamp,
    ) -> Result<EnrolmentRecord> {
        unsupported("enrolment tokens")
    }

    async fn enrolment_revoke(&self, _: &Scope<ManageAccount>, _: EnrolmentId, _: Timestamp) -> Result<bool> {
        unsupported("enrolment tokens")
    }

    async fn agent_enroll(&self, _: &EnrolmentHash, _: &EnrolRequest, _: Timestamp) -> Result<Enrolled> {
        unsupported("enrolment tokens")
    }
}

#[async_trait]
impl<T: WithoutAdministration> AgentAdministration for T {
    async fn agent_edit(&self, _: &Scope<ManageAccount>, _: &AgentId, _: &AgentEdit, _: Timestamp) -> Result<bool> {
        unsupported("agents to look after")
    }

    async fn agent_set_disabled(&self, _: &Scope<ManageAccount>, _: &AgentId, _: bool, _: Timestamp) -> Result<bool> {
        unsupported("agents to look after")
    }

    async fn agent_delete(&self, _: &Scope<ManageAccount>, _: &AgentId, _: Timestamp) -> Result<bool> {
        unsupported("agents to look after")
    }

    async fn agent_heartbeat(&self, _: &Scope<Ingest>, _: &Heartbeat, _: Timestamp) -> Result<()> {
        unsupported("agents to look after")
    }

    async fn agent_health(&self, _: &Scope<ReadAccount>) -> Result<Vec<AgentHealth>> {
        unsupported("agents to look after")
    }
}

#[async_trait]
impl<T: WithoutAdministration> AuditRepository for T {
    async fn audit_page(&self, _: &Scope<ReadAccount>, _: Option<AuditPosition>, _: u32) -> Result<AuditPage> {
        unsupported("audit log")
    }

    async fn audit_append(&self, _: &Operator, _: AccountId, _: &AuditEntry) -> Result<()> {
        unsupported("audit log")
    }
}

#[async_trait]
impl<T: WithoutAdministration> RetentionRepository for T {
    async fn retention_of(&self, _: &Scope<ReadAccount>) -> Result<RetentionSetting> {
        unsupported("retention")
    }

    async fn retention_set(&self, _: &Scope<ManageAccount>, _: Option<Retention>, _: Timestamp) -> Result<()> {
        unsupported("retention")
    }

    async fn retention_for_ingest(&self, _: &Scope<Ingest>) -> Result<IngestRetention> {
        unsupported("retention")
    }
}

#[async_trait]
impl<T: WithoutAlerts> AlertRuleRepository for T {
    async fn alert_rule_create(
        &self,
        _: &Scope<ManageAccount>,
        _: &AlertRuleDefinition,
        _: Timestamp,
    ) -> Result<AlertRule> {
        unsupported("alert rules")
    }

    async fn alert_rule_list(&self, _: &Scope<ReadAlerts>) -> Result<Vec<AlertRule>> {
        unsupported("alert rules")
    }

    async fn alert_rule_find(&self, _: &Scope<ReadAlerts>, _: AlertRuleId) -> Result<Option<AlertRule>> {
        unsupported("alert rules")
    }

    async fn alert_rule_update(
        &self,
        _: &Scope<ManageAccount>,
        _: AlertRuleId,
        _: &AlertRuleDefinition,
        _: Timestamp,
    ) -> Result<Option<AlertRule>> {
        unsupported("alert rules")
    }

    async fn alert_rule_set_enabled(
        &self,
        _: &Scope<ManageAccount>,
        _: AlertRuleId,
        _: bool,
        _: Timestamp,
    ) -> Result<Option<AlertRule>> {
        unsupported("alert rules")
    }

    async fn alert_rule_delete(&self, _: &Scope<ManageAccount>, _: AlertRuleId, _: Timestamp) -> Result<bool> {
        unsupported("alert rules")
    }
}

#[async_trait]
impl<T: WithoutAlerts> AlertChannelRepository for T {
    async fn alert_channel_create(
        &self,
        _: &Scope<ManageAccount>,
        _: &NewAlertChannel,
        _: Timestamp,
    ) -> Result<AlertChannel> {
        unsupported("alert channels")
    }

    async fn alert_channel_list(&self, _: &Scope<ReadAlerts>) -> Result<Vec<AlertChannel>> {
        unsupported("alert channels")
    }

    async fn alert_channel_destination(
        &self,
        _: &Scope<ManageAccount>,
        _: AlertChannelId,
    ) -> Result<Option<(AlertChannel, AlertDestination)>> {
        unsupported("alert channels")
    }

    async fn alert_channel_delete(&self, _: &Scope<ManageAccount>, _: AlertChannelId, _: Timestamp) -> Result<bool> {
        unsupported("alert channels")
    }
}

#[async_trait]
impl<T: WithoutAlerts> AlertHistory for T {
    async fn alert_state_list(&self, _: &Scope<ReadAlerts>) -> Result<Vec<AgentAlertState>> {
        unsupported("alerts")
    }

    async fn alert_event_page(
        &self,
        _: &Scope<ReadAlerts>,
        _: Option<AlertRuleId>,
        _: Option<AlertEventPosition>,
        _: u32,
    ) -> Result<AlertEventPage> {
        unsupported("alerts")
    }

    async fn alert_delivery_list(&self, _: &Scope<ReadAlerts>, _: AlertEventId) -> Result<Vec<AlertDelivery>> {
        unsupported("alerts")
    }
}

#[async_trait]
impl<T: WithoutAlerts> AlertJob for T {
    async fn alert_watched_rules(&self, _: &Operator) -> Result<Vec<WatchedRule>> {
        unsupported("alerts")
    }

    async fn alert_board(&self, _: &Operator, _: AccountId) -> Result<AlertBoard> {
        unsupported("alerts")
    }

    async fn alert_inputs(&self, _: &Operator, _: AccountId, _: &AlertQuery) -> Result<AlertInputs> {
        unsupported("alerts")
    }

    async fn alert_apply(
        &self,
        _: &Lease,
        _: AccountId,
        _: &[AlertChange],
        _: Option<i64>,
        _: Timestamp,
    ) -> Result<()> {
        unsupported("alerts")
    }

    async fn alert_delivery_claim(&self, _: &Lease, _: u32, _: Timestamp, _: Timestamp) -> Result<Vec<DueDelivery>> {
        unsupported("alerts")
    }

    async fn alert_delivery_settle(
        &self,
        _: &Lease,
        _: AccountId,
        _: AlertDeliveryId,
        _: &DeliveryOutcome,
        _: Timestamp,
    ) -> Result<()> {
        unsupported("alerts")
    }
}

#[async_trait]
impl<T: WithoutJobs> RetentionJob for T {
    async fn retention_step(&self, _: &Lease, _: &RetentionCursor, _: Timestamp) -> Result<RetentionStep> {
        unsupported("retention")
    }
}

#[async_trait]
impl<T: WithoutJobs> LeaseRepository for T {
    async fn lease_acquire(
        &self,
        _: &Operator,
        _: &'static str,
        _: &str,
        _: Duration,
        _: Timestamp,
    ) -> Result<Option<Lease>> {
        unsupported("leases")
    }

    async fn lease_renew(&self, _: &Lease, _: Duration, _: Timestamp) -> Result<bool> {
        unsupported("leases")
    }

    async fn lease_release(&self, _: &Lease) -> Result<()> {
        unsupported("leases")
    }
}

#[async_trait]
impl<T: OnlyLists> FleetRepository for T {
    async fn fleet(
        &self,
        _: &Scope<ReadAgents>,
        _: &Scope<ReadMetrics>,
        _: &Scope<ReadSpeedtests>,
        _: &Scope<ReadTraceroutes>,
    ) -> Result<Vec<FleetRow>> {
        unsupported("overviews")
    }
}

#[async_trait]
impl<T: OnlyLists> LatestRepository for T {
    async fn metric_latest(&self, _: &Scope<ReadMetrics>) -> Result<Vec<MetricSample>> {
        unsupported("newest records")
    }

    async fn speedtest_latest(&self, _: &Scope<ReadSpeedtests>) -> Result<Vec<Speedtest>> {
        unsupported("newest records")
    }

    async fn traceroute_latest(&self, _: &Scope<ReadTraceroutes>) -> Result<Vec<Traceroute>> {
        unsupported("newest records")
    }
}

#[async_trait]
impl<T: OnlyLists> ArrivalRepository for T {
    async fn metric_arrivals(
        &self,
        _: &Scope<ReadMetrics>,
        _: &RecordFilter,
        _: ArrivalPosition,
        _: Limit<10_000>,
    ) -> Result<Arrivals<MetricColumns>> {
        unsupported("order of arrival")
    }

    async fn speedtest_arrivals(
        &self,
        _: &Scope<ReadSpeedtests>,
        _: &SpeedtestFilter,
        _: ArrivalPosition,
        _: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Speedtest>>> {
        unsupported("order of arrival")
    }

    async fn traceroute_arrivals(
        &self,
        _: &Scope<ReadTraceroutes>,
        _: &TracerouteFilter,
        _: ArrivalPosition,
        _: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Traceroute>>> {
        unsupported("order of arrival")
    }
}
