//! Configuration: flags over environment over file over defaults, in [`Layers`]; the result is [`Settings`].

mod database_url;
mod effective;
mod layers;
mod mail;
mod network;
mod setting;
mod span;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use astranetmon_alerts::{AlertSettings, PostSettings};
use astranetmon_http::ApiSettings;
use astranetmon_storage::postgres::PostgresSettings;
use serde::{Deserialize, Serialize};

use crate::Failure;
pub use database_url::{Database, DatabaseUrl, InvalidDatabaseUrl};
pub(crate) use layers::{API_KEY, SERVER};
pub use layers::{Configuration, Environment, Flag, Layers};
pub use mail::{MailPassword, MailSettings, MailTls};
pub use network::{CorsOrigin, Network, PublicUrl};
pub use setting::SETTINGS;
pub use span::{InvalidSpan, Span};

/// Everything an operator may set. [`SETTINGS`] lists the names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Where Prometheus reads, or `off`.
    pub metrics_listen: MetricsListen,
    /// The database.
    pub database_url: DatabaseUrl,
    /// Where callers reach the service; makes links absolute.
    pub public_url: Option<PublicUrl>,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Origins whose pages may read the API from a browser, with a key, such as `https://status.example.com`; or `*`.
    pub cors_origins: Vec<CorsOrigin>,
    /// Where the link is written that makes the first owner; beside an embedded database, if unset.
    pub setup_link_file: Option<PathBuf>,
    /// Certificate and key; without them plain HTTP is spoken.
    pub tls: TlsPaths,
    /// Allows plain HTTP on an address that others can reach.
    pub insecure_http: bool,
    /// Threads that answer requests; as many as the machine has processors, if unset.
    pub workers: Option<NonZeroUsize>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written: `info`, or directives such as `info,astranetmon_http=debug`.
    pub log_level: String,
    /// How long requests in flight may take to finish after SIGTERM; whole seconds, rounded up.
    pub shutdown_timeout: Span,
    /// Whether agents may measure the speed of their line to this server.
    pub speedtest_server: bool,
    /// Bounds that do not come from plans.
    pub limits: LimitSettings,
    /// Alert rules.
    pub alerts: AlertTuning,
    /// The mail server that alerts are handed to.
    pub smtp: MailSettings,
    /// The embedded database.
    pub sqlite: SqliteTuning,
    /// The database server.
    pub postgres: PostgresTuning,
}

/// PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsPaths {
    /// The certificate and those between it and the root, in this order.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// Bounds that do not come from plans: those of [`ApiSettings`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests a key may have in flight in this process.
    pub key_concurrency: NonZeroUsize,
    /// How long a request beyond them waits.
    pub key_concurrency_wait: Span,
    /// Failures to authenticate a minute and address.
    pub address_failures_per_minute: NonZeroU32,
    /// Requests a second and dashboard session.
    pub session_requests_per_second: NonZeroU32,
    /// Requests a dashboard session may make at once.
    pub session_burst: NonZeroU32,
    /// Attempts to sign in a minute and address, by browsers that have not signed in before.
    pub sign_ins_per_minute: NonZeroU32,
    /// Requests an agent may have in flight in this process.
    pub agent_concurrency: NonZeroUsize,
    /// Agents that may measure the speed of their line to this server at a time.
    pub speedtest_concurrency: NonZeroUsize,
    /// The most that one request of a speed test carries, in MiB.
    pub speedtest_mebibytes: NonZeroU32,
}

/// Alert rules.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertTuning {
    /// Between evaluations.
    pub interval: Span,
    /// Networks that are not public and that webhooks may reach all the same.
    pub allowed_networks: Vec<Network>,
}

/// The embedded database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteTuning {
    /// Threads that read; one more writes.
    pub reader_threads: NonZeroUsize,
}

/// The database server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresTuning {
    /// Connections for reading measured data.
    pub read_connections: NonZeroUsize,
    /// Connections for writing and for managing accounts.
    pub write_connections: NonZeroUsize,
    /// Connections for what every request needs first: key look-ups and plan windows.
    pub gate_connections: NonZeroUsize,
    /// After this long a call has failed, whatever it waits for.
    pub call_deadline: Span,
    /// The same for appends, which may carry thousands of rows.
    pub append_deadline: Span,
    /// Longest wait for a connection of the pool, and for a new one to be made.
    pub connection_wait: Span,
}

/// Where Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: MetricsListen::At(SocketAddr::from(([127, 0, 0, 1], 9464))),
            database_url: DatabaseUrl::default(),
            public_url: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            setup_link_file: None,
            tls: TlsPaths::default(),
            insecure_http: false,
            workers: None,
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            shutdown_timeout: Span::from_secs(10),
            speedtest_server: false,
            limits: LimitSettings::default(),
            alerts: AlertTuning::default(),
            smtp: MailSettings::default(),
            sqlite: SqliteTuning::default(),
            postgres: PostgresTuning::default(),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        let api = ApiSettings::default();
        Self {
            key_concurrency: api.key_concurrency,
            key_concurrency_wait: Span(api.key_concurrency_wait),
            address_failures_per_minute: api.address_failures_per_minute,
            session_requests_per_second: api.session_requests_per_second,
            session_burst: api.session_burst,
            sign_ins_per_minute: api.sign_ins_per_minute,
            agent_concurrency: api.agent_concurrency,
            speedtest_concurrency: api.speedtest_concurrency,
            speedtest_mebibytes: api.speedtest_mebibytes,
        }
    }
}

impl Default for AlertTuning {
    fn default() -> Self {
        Self { interval: Span(AlertSettings::default().interval), allowed_networks: Vec::new() }
    }
}

impl Default for SqliteTuning {
    fn default() -> Self {
        Self { reader_threads: NonZeroUsize::MIN.saturating_add(3) }
    }
}

impl Default for PostgresTuning {
    fn default() -> Self {
        let storage = PostgresSettings::new("");
        let connections = |number: usize| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        Self {
            read_connections: connections(storage.read_connections),
            write_connections: connections(storage.write_connections),
            gate_connections: connections(storage.gate_connections),
            call_deadline: Span(storage.call_deadline),
            append_deadline: Span(storage.append_deadline),
            connection_wait: Span(storage.connection_wait),
        }
    }
}

impl Settings {
    /// Refuses what fits no other setting, and what would send keys over a network in the clear.
    ///
    /// # Errors
    /// [`Failure::Usage`] with one sentence.
    pub fn validate(&self) -> Result<(), Failure> {
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return Err(Failure::usage("tls.cert and tls.key are set together or not at all"));
        }
        if !self.listen.ip().is_loopback() && !self.guarded() && !self.insecure_http {
            return Err(Failure::usage(format!(
                "{} can be reached from other machines and would take API keys in the clear: set tls.cert and tls.key, \
                 or trusted_proxies if a proxy in front speaks TLS, or insecure_http to accept the risk",
                self.listen
            )));
        }
        if tracing_subscriber::EnvFilter::try_new(&self.log_level).is_err() {
            return Err(Failure::usage(
                "log_level is one of error, warn, info, debug, trace, or directives such as info,astranetmon_http=debug",
            ));
        }
        if self.alerts.interval < Span::from_secs(1) {
            return Err(Failure::usage("alerts.interval is at least 1s"));
        }
        self.smtp.smtp()?;
        let postgres = &self.postgres;
        for (name, span) in [
            ("postgres.call_deadline", postgres.call_deadline),
            ("postgres.append_deadline", postgres.append_deadline),
            ("postgres.connection_wait", postgres.connection_wait),
        ] {
            if span.0.is_zero() {
                return Err(Failure::usage(format!(
                    "{name} is at least 1ms: without a bound a frozen server hangs us"
                )));
            }
        }
        Ok(())
    }

    const fn guarded(&self) -> bool {
        self.tls.cert.is_some() || !self.trusted_proxies.is_empty()
    }

    /// What alerts are delivered with.
    ///
    /// # Errors
    /// [`Failure::Usage`] about the mail server.
    pub fn post(&self) -> Result<PostSettings, Failure> {
        Ok(PostSettings {
            allowed_networks: self.alerts.allowed_networks.iter().map(|network| network.0).collect(),
            smtp: self.smtp.smtp()?,
            public_url: self.public_url.as_ref().map(ToString::to_string),
        })
    }

    /// How often alerts are evaluated.
    #[must_use]
    pub fn alerting(&self) -> AlertSettings {
        AlertSettings { interval: self.alerts.interval.0, ..AlertSettings::default() }
    }

    /// What the API is told.
    #[must_use]
    pub fn api(&self) -> ApiSettings {
        ApiSettings {
            public_url: self.public_url.as_ref().map(ToString::to_string),
            trusted_proxies: self.trusted_proxies.iter().map(|network| network.0).collect(),
            cors_origins: self.cors_origins.iter().map(|origin| origin.0.clone()).collect(),
            tls: self.tls.cert.is_some(),
            key_concurrency: self.limits.key_concurrency,
            key_concurrency_wait: self.limits.key_concurrency_wait.0,
            address_failures_per_minute: self.limits.address_failures_per_minute,
            session_requests_per_second: self.limits.session_requests_per_second,
            session_burst: self.limits.session_burst,
            sign_ins_per_minute: self.limits.sign_ins_per_minute,
            agent_concurrency: self.limits.agent_concurrency,
            speedtest_server: self.speedtest_server,
            speedtest_concurrency: self.limits.speedtest_concurrency,
            speedtest_mebibytes: self.limits.speedtest_mebibytes,
        }
    }
}

impl FromStr for MetricsListen {
    type Err = InvalidMetricsListen;
    fn from_str(text: &str) -> Result<Self, InvalidMetricsListen> {
        match text {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| InvalidMetricsListen),
        }
    }
}

/// The text is neither an address nor `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address with a port such as 127.0.0.1:9464, or off")]
pub struct InvalidMetricsListen;

impl<'de> Deserialize<'de> for MetricsListen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for MetricsListen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::At(address) => serializer.collect_str(address),
        }
    }
}

#[cfg(test)]
mod tests;
