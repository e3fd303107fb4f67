use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use astranetmon_auth::{AgentTokenLookup, Authenticator, KeyLookup, Operator, PasswordQueue, ReadAgents, Scope};
use astranetmon_domain::{Account, AccountId, AgentId, ApiKeyId, Clock, UserId};
use astranetmon_ratelimit::{
    AddressGuard, ConcurrencyGuard, PlanLimiter, QuotaWindows, SessionGuard, SignInGuard, UsageRecorder,
};
use astranetmon_storage::{Storage, StorageError};
use ipnet::IpNet;

use crate::ApiError;
use crate::allowed_origin::AllowedOrigin;
use crate::conditional::{KeptAnswers, OnlineTimes};
use crate::endpoints::stream::StreamOwner;
use crate::health::StorageCheck;
use crate::ingest::{BodyRoom, LineMemory, SpeedtestSeats};
use crate::session::{SessionSecrets, SignedIn};

/// Streams that a key or a person may have open in one process.
const STREAMS_AT_ONCE: usize = 8;

#[cfg(feature = "prometheus")]
const PROMQL_AT_ONCE: usize = 4;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where callers reach the service, such as `https://monitoring.example.com`, without a slash at the end: makes
    /// links absolute. Never taken from a request.
    pub public_url: Option<String>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whose pages may read the API from a browser, with a key; nobody's if there is none.
    pub cors_origins: Vec<AllowedOrigin>,
    /// Whether this process itself speaks TLS, so that HSTS is sent.
    pub tls: bool,
    /// Requests a key may have in flight in this process.
    pub key_concurrency: NonZeroUsize,
    /// How long a request beyond them waits for a place.
    pub key_concurrency_wait: Duration,
    /// Failures to authenticate a minute and address.
    pub address_failures_per_minute: NonZeroU32,
    /// Requests a second and dashboard session.
    pub session_requests_per_second: NonZeroU32,
    /// Requests a dashboard session may make at once.
    pub session_burst: NonZeroU32,
    /// Attempts to sign in a minute and address, by browsers that have not signed in before.
    pub sign_ins_per_minute: NonZeroU32,
    /// Requests an agent may have in flight in this process; more wait as those of keys do.
    pub agent_concurrency: NonZeroUsize,
    /// Whether agents may measure the speed of their line to this server.
    pub speedtest_server: bool,
    /// Agents that may do so at a time.
    pub speedtest_concurrency: NonZeroUsize,
    /// The most that one request of a speed test carries, in MiB.
    pub speedtest_mebibytes: NonZeroU32,
}

impl Default for ApiSettings {
    fn default() -> Self {
        let number = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            public_url: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            tls: false,
            key_concurrency: NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN),
            key_concurrency_wait: Duration::from_secs(1),
            address_failures_per_minute: number(30),
            session_requests_per_second: number(20),
            session_burst: number(200),
            sign_ins_per_minute: number(20),
            agent_concurrency: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            speedtest_server: false,
            speedtest_concurrency: NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN),
            speedtest_mebibytes: number(256),
        }
    }
}

/// What every worker of one process shares.
pub struct ApiState {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: ApiSettings,
    pub(crate) authenticator: Authenticator,
    pub(crate) plan_limiter: PlanLimiter,
    pub(crate) concurrency: ConcurrencyGuard<ApiKeyId>,
    pub(crate) session_concurrency: ConcurrencyGuard<UserId>,
    pub(crate) stream_seats: ConcurrencyGuard<StreamOwner>,
    pub(crate) agent_tokens: Arc<dyn AgentTokenLookup>,
    pub(crate) agent_concurrency: ConcurrencyGuard<(AccountId, AgentId)>,
    pub(crate) body_room: BodyRoom,
    pub(crate) line_memory: LineMemory,
    pub(crate) speedtest_seats: SpeedtestSeats,
    pub(crate) address_guard: AddressGuard,
    pub(crate) session_guard: SessionGuard,
    pub(crate) sign_in_guard: SignInGuard,
    pub(crate) passwords: PasswordQueue,
    pub(crate) session_secrets: SessionSecrets,
    pub(crate) usage: UsageRecorder,
    pub(crate) online_times: OnlineTimes,
    pub(crate) kept_answers: KeptAnswers,
    /// Signs cursors and entity tags; shared by all instances on one database.
    pub(crate) cursor_key: [u8; 32],
    pub(crate) storage_check: StorageCheck,
    /// Queries of Prometheus's clients that may hold samples at once.
    #[cfg(feature = "prometheus")]
    pub(crate) promql_turns: tokio::sync::Semaphore,
    draining: AtomicBool,
}

impl ApiState {
    /// Over a storage; asks it for the secrets that sign cursors and what browsers hold.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: ApiSettings,
    ) -> Result<Self, StorageError> {
        let cursor_key = storage.shared_secret(&Operator::new("sign cursors"), "cursor_key").await?;
        let session_key = storage.shared_secret(&Operator::new("sign sessions"), "session_key").await?;
        let keys: Arc<dyn KeyLookup> = storage.clone();
        let windows: Arc<dyn QuotaWindows> = storage.clone();
        let agent_tokens: Arc<dyn AgentTokenLookup> = storage.clone();
        Ok(Self {
            storage,
            clock,
            authenticator: Authenticator::new(keys),
            plan_limiter: PlanLimiter::new(windows),
            concurrency: ConcurrencyGuard::new(settings.key_concurrency.get(), settings.key_concurrency_wait),
            session_concurrency: ConcurrencyGuard::new(settings.key_concurrency.get(), settings.key_concurrency_wait),
            stream_seats: ConcurrencyGuard::new(STREAMS_AT_ONCE, settings.key_concurrency_wait),
            agent_tokens,
            agent_concurrency: ConcurrencyGuard::new(settings.agent_concurrency.get(), settings.key_concurrency_wait),
            body_room: BodyRoom::default(),
            line_memory: LineMemory::default(),
            speedtest_seats: SpeedtestSeats::new(settings.speedtest_concurrency.get()),
            sign_in_guard: SignInGuard::new(settings.sign_ins_per_minute),
            passwords: PasswordQueue::default(),
            session_secrets: SessionSecrets::new(session_key),
            address_guard: AddressGuard::new(settings.address_failures_per_minute),
            session_guard: SessionGuard::new(settings.session_requests_per_second, settings.session_burst),
            usage: UsageRecorder::default(),
            online_times: OnlineTimes::default(),
            kept_answers: KeptAnswers::default(),
            cursor_key,
            settings,
            storage_check: StorageCheck::default(),
            #[cfg(feature = "prometheus")]
            promql_turns: tokio::sync::Semaphore::new(PROMQL_AT_ONCE),
            draining: AtomicBool::new(false),
        })
    }

    /// Where everything is stored.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The time that everything goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What an operator has set.
    #[must_use]
    pub const fn settings(&self) -> &ApiSettings {
        &self.settings
    }

    /// Where passwords are hashed.
    #[must_use]
    pub const fn passwords(&self) -> &PasswordQueue {
        &self.passwords
    }

    /// The account of a person who has signed in.
    ///
    /// # Errors
    /// Those of the storage; 401 if the account is gone.
    pub async fn account_of(&self, signed_in: &SignedIn) -> Result<Account, ApiError> {
        let id = signed_in.user().account_id;
        let account = self.storage.account_find(&Operator::new("show a person's account"), id).await?;
        account.ok_or(ApiError::NotSignedIn)
    }

    /// How many of the account's agents have gone offline since its data, which is at `version`, last changed: see
    /// [`OnlineTimes`].
    pub(crate) async fn gone_offline(&self, scope: &Scope<ReadAgents>, version: i64) -> Result<i64, ApiError> {
        Ok(self.online_times.gone_offline(&*self.storage, scope, version, self.clock.now()).await?)
    }

    /// Counts a failure to authenticate of an address: `failed`, or `too_many` once there were too many.
    pub(crate) fn authentication_failed(&self, address: IpAddr, failed: ApiError, too_many: &'static str) -> ApiError {
        match self.address_guard.failure(address) {
            Ok(()) => failed,
            Err(wait) => ApiError::TooManyRequests { message: too_many, retry_after: wait.seconds },
        }
    }

    /// Begins to send callers away, for good: `/readyz` says so, and every answer closes its connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether callers are being sent away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
