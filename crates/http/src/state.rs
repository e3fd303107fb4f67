use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use astranetmon_auth::{Authenticator, KeyLookup, Operator};
use astranetmon_domain::Clock;
use astranetmon_ratelimit::{AddressGuard, ConcurrencyGuard, PlanLimiter, QuotaWindows, SessionGuard, UsageRecorder};
use astranetmon_storage::{Storage, StorageError};
use ipnet::IpNet;

use crate::health::StorageCheck;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where callers reach the service, such as `https://monitoring.example.com`, without a slash at the end: makes
    /// links absolute. Never taken from a request.
    pub public_url: Option<String>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
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
}

impl Default for ApiSettings {
    fn default() -> Self {
        let number = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            public_url: None,
            trusted_proxies: Vec::new(),
            tls: false,
            key_concurrency: NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN),
            key_concurrency_wait: Duration::from_secs(1),
            address_failures_per_minute: number(30),
            session_requests_per_second: number(20),
            session_burst: number(200),
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
    pub(crate) concurrency: ConcurrencyGuard,
    pub(crate) address_guard: AddressGuard,
    pub(crate) session_guard: SessionGuard,
    pub(crate) usage: UsageRecorder,
    /// Signs cursors; shared by all instances on one database.
    pub(crate) cursor_key: [u8; 32],
    pub(crate) storage_check: StorageCheck,
    draining: AtomicBool,
}

impl ApiState {
    /// Over a storage; asks it for the secret that signs cursors.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: ApiSettings,
    ) -> Result<Self, StorageError> {
        let cursor_key = storage.shared_secret(&Operator::new("sign cursors"), "cursor_key").await?;
        let keys: Arc<dyn KeyLookup> = storage.clone();
        let windows: Arc<dyn QuotaWindows> = storage.clone();
        Ok(Self {
            storage,
            clock,
            authenticator: Authenticator::new(keys),
            plan_limiter: PlanLimiter::new(windows),
            concurrency: ConcurrencyGuard::new(settings.key_concurrency.get(), settings.key_concurrency_wait),
            address_guard: AddressGuard::new(settings.address_failures_per_minute),
            session_guard: SessionGuard::new(settings.session_requests_per_second, settings.session_burst),
            usage: UsageRecorder::default(),
            cursor_key,
            settings,
            storage_check: StorageCheck::default(),
            draining: AtomicBool::new(false),
        })
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
