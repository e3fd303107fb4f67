use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_auth::{
    Access, ApiKeyRecord, Ingest, KeyLookup, ManageAccount, NewApiKey, NewSession, Operator, OwnKey, OwnUser,
    PasswordHash, ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope, SessionLookup, SessionRecord,
};
use astranetmon_domain::{
    Account, AccountName, Agent, AgentFacts, AgentId, ApiKeyId, MetricColumns, MetricPosition, MetricSample,
    PageRequest, Plan, RecordFilter, RecordPosition, SessionId, Speedtest, SpeedtestId, Timestamp, Traceroute,
    TracerouteId, User, UserEmail, UserId, UserRole,
};
use astranetmon_ratelimit::{QuotaWindows, UsageCount};
use async_trait::async_trait;

use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;

/// Accounts. Names are unique.
#[async_trait]
pub trait AccountRepository: Send + Sync {
    /// Makes an account.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if the name is taken.
    async fn account_create(
        &self,
        operator: &Operator,
        name: &AccountName,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Account>;

    /// Every account, by name.
    async fn account_list(&self, operator: &Operator) -> Result<Vec<Account>>;

    /// The account of that name.
    async fn account_find_by_name(&self, operator: &Operator, name: &AccountName) -> Result<Option<Account>>;

    /// Changes the plan; `None` if there is no such account. Audited.
    async fn account_set_plan(
        &self,
        scope: &Scope<ManageAccount>,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Option<Account>>;
}

/// A person to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Unique over all accounts.
    pub email: UserEmail,
    /// What the person may do.
    pub role: UserRole,
}

/// People.
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Adds a person. Audited.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if the address is taken.
    async fn user_create(&self, scope: &Scope<ManageAccount>, user: &NewUser, now: Timestamp) -> Result<User>;

    /// The account's people, by e-mail address.
    async fn user_list(&self, scope: &Scope<ManageAccount>) -> Result<Vec<User>>;

    /// The person with that address, in whatever account.
    async fn user_find_by_email(&self, operator: &Operator, email: &UserEmail) -> Result<Option<User>>;

    /// The person with that address, disabled or not, and the hash of the password, if there is one yet.
    async fn user_find_to_sign_in(
        &self,
        operator: &Operator,
        email: &UserEmail,
    ) -> Result<Option<(User, Option<PasswordHash>)>>;

    /// Gives a person a password and ends all of their sessions; `None` if there is no such person in the account.
    /// Audited.
    async fn user_set_password(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>>;

    /// Keeps a person from signing in and ends all of their sessions, or lets them sign in again; disabling twice keeps
    /// the first time. `None` if there is no such person in the account. Audited.
    async fn user_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Option<User>>;
}

/// Signed-in browsers. Finding one by its hash is [`SessionLookup`], a supertrait of [`Storage`].
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Begins a session; `None` if there is no such person, or if the person is disabled. Audited.
    async fn session_create(
        &self,
        operator: &Operator,
        session: &NewSession,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>>;

    /// A person's sessions that have not ended by themselves, newest first.
    async fn session_list(&self, scope: &Scope<OwnUser>, user_id: UserId, now: Timestamp)
    -> Result<Vec<SessionRecord>>;

    /// Ends a session of that person for good; whether there was one. Audited.
    async fn session_end(&self, scope: &Scope<OwnUser>, user_id: UserId, id: SessionId, now: Timestamp)
    -> Result<bool>;

    /// Moves a session's last request forward to `seen_at`, never back.
    async fn session_seen(&self, operator: &Operator, id: SessionId, seen_at: Timestamp) -> Result<()>;

    /// Forgets sessions that had ended by themselves at the time `now`; how many.
    async fn session_sweep(&self, operator: &Operator, now: Timestamp) -> Result<u64>;
}

/// API keys. Finding one by its hash is [`KeyLookup`], a supertrait of [`Storage`].
#[async_trait]
pub trait ApiKeyRepository: Send + Sync {
    /// Keeps a new key, with a plan window of its own. Audited.
    ///
    /// # Errors
    /// [`StorageError::TooMany`] with [`ApiKeyRecord::MAX_LIVE_PER_ACCOUNT`] live keys.
    async fn api_key_create(
        &self,
        scope: &Scope<ManageAccount>,
        key: &NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKeyRecord>;

    /// The account's keys, newest first, dead ones too.
    async fn api_key_list(&self, scope: &Scope<ManageAccount>) -> Result<Vec<ApiKeyRecord>>;

    /// Replaces a live key: `successor` shares its plan window, the old key ends at `old_ends_at` at the latest.
    /// `None` if there is no such live key in the account. Audited.
    ///
    /// # Errors
    /// [`StorageError::TooMany`] if both would live and be one too many; a roll that ends the old key at once is not.
    async fn api_key_roll(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        successor: &NewApiKey,
        old_ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>>;

    /// Ends a key for good; revoking twice keeps the first time. `None` if there is no such key in the account.
    /// Audited.
    async fn api_key_revoke(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>>;
}

/// How much each key was used.
#[async_trait]
pub trait UsageRepository: Send + Sync {
    /// Adds counts to those that are stored, and moves each key's last use forward.
    async fn usage_add(&self, operator: &Operator, counts: &[UsageCount]) -> Result<()>;

    /// The stored counts of one key from the hour of `since` on, oldest first; hours without requests are absent.
    async fn usage_by_hour(&self, scope: &Scope<OwnKey>, key_id: ApiKeyId, since: Timestamp)
    -> Result<Vec<UsageCount>>;
}

/// An agent to be added.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Unique within the account.
    pub id: AgentId,
    /// What it says of its host.
    pub facts: AgentFacts,
    /// An alias.
    pub name: Option<String>,
    /// The address it reports from.
    pub public_ip: Option<String>,
    /// Names and values.
    pub labels: BTreeMap<String, String>,
}

/// Some agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentPage {
    /// By hostname, then id. Shared with whoever else asked for the same.
    pub agents: Arc<[Agent]>,
    /// Agents in the account.
    pub total: u64,
    /// Whether agents remain behind these.
    pub more: bool,
}

/// Agents, ordered by hostname (byte order), then id.
#[async_trait]
pub trait AgentRepository: Send + Sync {
    /// The account's agents behind `after` (hostname, id), at most `limit` of them, all without a limit.
    async fn agent_page(
        &self,
        scope: &Scope<ReadAgents>,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage>;

    /// One agent.
    async fn agent_find(&self, scope: &Scope<ReadAgents>, id: &AgentId) -> Result<Option<Agent>>;

    /// Adds an agent; if it is there, replaces its facts and `public_ip` and keeps what a person gave.
    async fn agent_upsert(&self, scope: &Scope<Ingest>, agent: &NewAgent, now: Timestamp) -> Result<()>;

    /// Moves the agent's last report forward to `seen_at`, never back.
    async fn agent_seen(&self, scope: &Scope<Ingest>, id: &AgentId, seen_at: Timestamp) -> Result<()>;
}

/// What became of appended rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that were there and gained values that had been unknown.
    pub filled: u64,
    /// Rows that were there and did not change.
    pub known: u64,
}

/// Some metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricPage {
    /// Newest first, then by agent.
    pub columns: MetricColumns,
    /// Metrics that match the filter.
    pub total: u64,
    /// Whether metrics remain behind these.
    pub more: bool,
}

/// Metrics. The trait says nothing of how samples are kept: one row a sample, or many in a packed chunk.
///
/// A call needs the scope of its own permission:
///
/// ```
/// use astranetmon_auth::{ReadMetrics, Scope};
/// use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// use astranetmon_storage::{MetricPage, MetricRepository, StorageError};
///
/// async fn newest(metrics: &dyn MetricRepository, scope: &Scope<ReadMetrics>) -> Result<MetricPage, StorageError> {
///     metrics.metric_page(scope, &RecordFilter::ALL, &PageRequest { limit: Limit::LARGEST, after: None }).await
/// }
/// ```
///
/// With another permission's scope, or with none, it does not compile:
///
/// ```compile_fail,E0308
/// # use astranetmon_auth::{ReadAgents, Scope};
/// # use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// # use astranetmon_storage::{MetricPage, MetricRepository, StorageError};
/// async fn newest(metrics: &dyn MetricRepository, scope: &Scope<ReadAgents>) -> Result<MetricPage, StorageError> {
///     metrics.metric_page(scope, &RecordFilter::ALL, &PageRequest { limit: Limit::LARGEST, after: None }).await
/// }
/// ```
///
/// ```compile_fail,E0061
/// # use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// # use astranetmon_storage::{MetricPage, MetricRepository, StorageError};
/// async fn newest(metrics: &dyn MetricRepository) -> Result<MetricPage, StorageError> {
///     metrics.metric_page(&RecordFilter::ALL, &PageRequest { limit: Limit::LARGEST, after: None }).await
/// }
/// ```
#[async_trait]
pub trait MetricRepository: Send + Sync {
    /// The matching metrics behind `page.after`, newest first, then by agent.
    async fn metric_page(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        page: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage>;

    /// Appends metrics in one transaction. Unique on (account, agent, timestamp in ms): a second sample fills what was
    /// unknown and overwrites nothing. Durable when this returns.
    async fn metric_append(
        &self,
        scope: &Scope<Ingest>,
        samples: Vec<MetricSample>,
        now: Timestamp,
    ) -> Result<Appended>;
}

/// Some records of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPage<T> {
    /// Newest first, then by agent, then by id.
    pub rows: Vec<T>,
    /// Records that match the filter.
    pub total: u64,
    /// Whether records remain behind these.
    pub more: bool,
}

impl<T> Default for RecordPage<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0, more: false }
    }
}

/// Speed tests.
#[async_trait]
pub trait SpeedtestRepository: Send + Sync {
    /// The matching speed tests behind `page.after`, newest first, then by agent, then by id.
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &RecordFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>>;

    /// One speed test; the first by agent where two agents chose the same id.
    async fn speedtest_find(&self, scope: &Scope<ReadSpeedtests>, id: SpeedtestId) -> Result<Option<Speedtest>>;

    /// Appends speed tests in one transaction. Unique on (account, agent, id): a second one changes nothing. Durable
    /// when this returns.
    async fn speedtest_append(
        &self,
        scope: &Scope<Ingest>,
        speedtests: Vec<Speedtest>,
        now: Timestamp,
    ) -> Result<Appended>;
}

/// Traceroutes.
#[async_trait]
pub trait TracerouteRepository: Send + Sync {
    /// The matching traceroutes behind `page.after`, newest first, then by agent, then by id.
    async fn traceroute_page(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &RecordFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>>;

    /// One traceroute; the first by agent where two agents chose the same id.
    async fn traceroute_find(&self, scope: &Scope<ReadTraceroutes>, id: TracerouteId) -> Result<Option<Traceroute>>;

    /// Appends traceroutes in one transaction. Unique on (account, agent, id): a second one changes nothing.
    /// `path_changed` is written here, against the trace before in time of the same agent, target and protocol; that
    /// of the trace after a late one is corrected. Durable when this returns.
    async fn traceroute_append(
        &self,
        scope: &Scope<Ingest>,
        traceroutes: Vec<Traceroute>,
        now: Timestamp,
    ) -> Result<Appended>;
}

/// One line of an account's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it was done.
    pub at: Timestamp,
    /// By whom: `key:7`, `user:3`, `system:command line`.
    pub actor: String,
    /// What was done: `api_key.create`.
    pub action: String,
    /// To what: `key:7`.
    pub object: String,
}

/// The audit log: written by the repositories themselves, in the transaction of what they change.
#[async_trait]
pub trait AuditRepository: Send + Sync {
    /// The newest entries of the account, newest first.
    async fn audit_list(&self, scope: &Scope<ManageAccount>, limit: u32) -> Result<Vec<AuditEntry>>;
}

/// The database itself.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Whether a read works now, within the storage's own deadlines.
    async fn ping(&self) -> Result<()>;

    /// A secret of `name`, shared by all instances: made at random when first asked for.
    async fn shared_secret(&self, operator: &Operator, name: &str) -> Result<[u8; 32]>;

    /// Writes what is kept in memory (plan windows on SQLite) and closes. Calls after it fail.
    async fn close(&self);

    /// The kind of database: `sqlite` or `postgres`.
    fn kind(&self) -> &'static str;
}

/// Everything that the service stores.
pub trait Storage:
    AccountRepository
    + UserRepository
    + SessionRepository
    + SessionLookup
    + ApiKeyRepository
    + KeyLookup
    + QuotaWindows
    + UsageRepository
    + AgentRepository
    + MetricRepository
    + SpeedtestRepository
    + TracerouteRepository
    + AuditRepository
    + Maintenance
{
}

impl<T> Storage for T where
    T: AccountRepository
        + UserRepository
        + SessionRepository
        + SessionLookup
        + ApiKeyRepository
        + KeyLookup
        + QuotaWindows
        + UsageRepository
        + AgentRepository
        + MetricRepository
        + SpeedtestRepository
        + TracerouteRepository
        + AuditRepository
        + Maintenance
{
}

/// Who acts in a scope, as the audit log writes it.
pub(crate) fn actor_text<A: Access>(scope: &Scope<A>) -> String {
    match scope.actor() {
        astranetmon_auth::Actor::Key(id) => format!("key:{id}"),
        astranetmon_auth::Actor::User(id) => format!("user:{id}"),
        astranetmon_auth::Actor::System(reason) => format!("system:{reason}"),
    }
}
