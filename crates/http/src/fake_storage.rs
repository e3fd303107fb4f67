//! A storage that keeps keys, plan windows and counts, and answers every other call with "unavailable".

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use astranetmon_auth::{
    ApiKey, ApiKeyRecord, Ingest, KeyHash, KeyLookup, KeyPrincipal, LookupError, ManageAccount, NewApiKey, Operator,
    OwnKey, PermissionSet, ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope,
};
use astranetmon_domain::{
    Account, AccountId, AccountName, Agent, AgentId, ApiKeyId, MetricPosition, MetricSample, PageRequest, Plan,
    QuotaWindowId, RecordFilter, RecordPosition, Speedtest, SpeedtestId, Timestamp, Traceroute, TracerouteId, User,
    UserEmail,
};
use astranetmon_ratelimit::{QuotaUnavailable, QuotaWindows, UsageCount, Window, WindowTake};
use astranetmon_storage::{
    AccountRepository, AgentPage, AgentRepository, ApiKeyRepository, Appended, AuditEntry, AuditRepository,
    Maintenance, MetricPage, MetricRepository, NewAgent, NewUser, RecordPage, SpeedtestRepository, StorageError,
    TracerouteRepository, UsageRepository, UserRepository,
};
use async_trait::async_trait;

type Result<T> = std::result::Result<T, StorageError>;

#[derive(Default)]
pub(crate) struct FakeStorage {
    keys: Mutex<HashMap<[u8; 32], KeyPrincipal>>,
    windows: Mutex<HashMap<QuotaWindowId, Window>>,
    pub(crate) counts: Mutex<Vec<UsageCount>>,
    /// Key look-ups so far.
    pub(crate) lookups: AtomicUsize,
    /// Every call fails.
    pub(crate) away: AtomicBool,
    /// A ping never comes back.
    pub(crate) frozen: AtomicBool,
    /// How often somebody asked whether it answers.
    pub(crate) pings: AtomicUsize,
}

impl FakeStorage {
    /// Keeps a key that has a plan window of its own.
    pub(crate) fn add_key(&self, key: &ApiKey, plan: Plan, permissions: PermissionSet, ends: Ends) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let id = i64::try_from(keys.len()).expect("few keys") + 1;
        let record = ApiKeyRecord {
            id: ApiKeyId(id),
            account_id: AccountId(7),
            window_id: QuotaWindowId(id),
            name: "test".to_owned(),
            hint: key.hint(),
            permissions,
            created_at: Timestamp::from_seconds(0),
            expires_at: ends.expires_at,
            last_used_at: None,
            revoked_at: ends.revoked_at,
        };
        keys.insert(*key.hash().as_bytes(), KeyPrincipal { key: record, plan });
    }

    fn answers(&self) -> Result<()> {
        if self.away.load(Ordering::SeqCst) { Err(away()) } else { Ok(()) }
    }
}

/// How a key ends.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

fn away() -> StorageError {
    StorageError::Unavailable { context: "a secret host name", source: None }
}

#[async_trait]
impl KeyLookup for FakeStorage {
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> std::result::Result<Option<KeyPrincipal>, LookupError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.answers().map_err(|error| LookupError(Box::new(error)))?;
        Ok(self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(hash.as_bytes()).cloned())
    }
}

#[async_trait]
impl QuotaWindows for FakeStorage {
    async fn window_take(
        &self,
        _: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> std::result::Result<WindowTake, QuotaUnavailable> {
        self.answers().map_err(|error| QuotaUnavailable(Box::new(error)))?;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(window_id).or_insert(Window { opened_at: now, used: 0 });
        if window.resets_at() <= now {
            *window = Window { opened_at: now, used: 0 };
        }
        if window.used >= limit {
            return Ok(WindowTake::Refused(*window));
        }
        window.used += 1;
        Ok(WindowTake::Passed(*window))
    }

    async fn window_peek(
        &self,
        _: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> std::result::Result<Option<Window>, QuotaUnavailable> {
        self.answers().map_err(|error| QuotaUnavailable(Box::new(error)))?;
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(windows.get(&window_id).copied().filter(|window| now < window.resets_at()))
    }
}

#[async_trait]
impl UsageRepository for FakeStorage {
    async fn usage_add(&self, _: &Operator, counts: &[UsageCount]) -> Result<()> {
        self.answers()?;
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(counts);
        Ok(())
    }

    async fn usage_by_hour(&self, _: &Scope<OwnKey>, _: ApiKeyId, _: Timestamp) -> Result<Vec<UsageCount>> {
        Err(away())
    }
}

#[async_trait]
impl Maintenance for FakeStorage {
    async fn ping(&self) -> Result<()> {
        self.pings.fetch_add(1, Ordering::SeqCst);
        if self.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.answers()
    }

    async fn shared_secret(&self, _: &Operator, _: &str) -> Result<[u8; 32]> {
        Ok([7; 32])
    }

    async fn close(&self) {}

    fn kind(&self) -> &'static str {
        "fake"
    }
}

#[async_trait]
impl AccountRepository for FakeStorage {
    async fn account_create(&self, _: &Operator, _: &AccountName, _: Plan, _: Timestamp) -> Result<Account> {
        Err(away())
    }
    async fn account_list(&self, _: &Operator) -> Result<Vec<Account>> {
        Err(away())
    }
    async fn account_find_by_name(&self, _: &Operator, _: &AccountName) -> Result<Option<Account>> {
        Err(away())
    }
    async fn account_set_plan(&self, _: &Scope<ManageAccount>, _: Plan, _: Timestamp) -> Result<Option<Account>> {
        Err(away())
    }
}

#[async_trait]
impl UserRepository for FakeStorage {
    async fn user_create(&self, _: &Scope<ManageAccount>, _: &NewUser, _: Timestamp) -> Result<User> {
        Err(away())
    }
    async fn user_list(&self, _: &Scope<ManageAccount>) -> Result<Vec<User>> {
        Err(away())
    }
    async fn user_find_by_email(&self, _: &Operator, _: &UserEmail) -> Result<Option<User>> {
        Err(away())
    }
}

#[async_trait]
impl ApiKeyRepository for FakeStorage {
    async fn api_key_create(&self, _: &Scope<ManageAccount>, _: &NewApiKey, _: Timestamp) -> Result<ApiKeyRecord> {
        Err(away())
    }
    async fn api_key_list(&self, _: &Scope<ManageAccount>) -> Result<Vec<ApiKeyRecord>> {
        Err(away())
    }
    async fn api_key_roll(
        &self,
        _: &Scope<ManageAccount>,
        _: ApiKeyId,
        _: &NewApiKey,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        Err(away())
    }
    async fn api_key_revoke(
        &self,
        _: &Scope<ManageAccount>,
        _: ApiKeyId,
        _: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        Err(away())
    }
}

#[async_trait]
impl AgentRepository for FakeStorage {
    async fn agent_page(
        &self,
        _: &Scope<ReadAgents>,
        _: Option<(&str, &AgentId)>,
        _: Option<u32>,
    ) -> Result<AgentPage> {
        Err(away())
    }
    async fn agent_find(&self, _: &Scope<ReadAgents>, _: &AgentId) -> Result<Option<Agent>> {
        Err(away())
    }
    async fn agent_upsert(&self, _: &Scope<Ingest>, _: &NewAgent, _: Timestamp) -> Result<()> {
        Err(away())
    }
    async fn agent_seen(&self, _: &Scope<Ingest>, _: &AgentId, _: Timestamp) -> Result<()> {
        Err(away())
    }
}

#[async_trait]
impl MetricRepository for FakeStorage {
    async fn metric_page(
        &self,
        _: &Scope<ReadMetrics>,
        _: &RecordFilter,
        _: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage> {
        Err(away())
    }
    async fn metric_append(&self, _: &Scope<Ingest>, _: Vec<MetricSample>, _: Timestamp) -> Result<Appended> {
        Err(away())
    }
}

#[async_trait]
impl SpeedtestRepository for FakeStorage {
    async fn speedtest_page(
        &self,
        _: &Scope<ReadSpeedtests>,
        _: &RecordFilter,
        _: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>> {
        Err(away())
    }
    async fn speedtest_find(&self, _: &Scope<ReadSpeedtests>, _: SpeedtestId) -> Result<Option<Speedtest>> {
        Err(away())
    }
    async fn speedtest_append(&self, _: &Scope<Ingest>, _: Vec<Speedtest>, _: Timestamp) -> Result<Appended> {
        Err(away())
    }
}

#[async_trait]
impl TracerouteRepository for FakeStorage {
    async fn traceroute_page(
        &self,
        _: &Scope<ReadTraceroutes>,
        _: &RecordFilter,
        _: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>> {
        Err(away())
    }
    async fn traceroute_find(&self, _: &Scope<ReadTraceroutes>, _: TracerouteId) -> Result<Option<Traceroute>> {
        Err(away())
    }
    async fn traceroute_append(&self, _: &Scope<Ingest>, _: Vec<Traceroute>, _: Timestamp) -> Result<Appended> {
        Err(away())
    }
}

#[async_trait]
impl AuditRepository for FakeStorage {
    async fn audit_list(&self, _: &Scope<ManageAccount>, _: u32) -> Result<Vec<AuditEntry>> {
        Err(away())
    }
}
