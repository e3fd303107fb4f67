use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::tls::{TlsClient, TlsTrust};
use crate::StorageError;

/// Where the database is and how much of it one process may use.
#[derive(Clone)]
pub struct PostgresSettings {
    url: String,
    /// Connections for reading measured data. Default 4.
    pub read_connections: usize,
    /// Connections for writing and for managing accounts. Default 2.
    pub write_connections: usize,
    /// Connections for what every request needs first: key look-ups and plan windows. Default 2.
    pub gate_connections: usize,
    /// After this long a call has failed, whatever it waits for; its connection is thrown away. Default 1.9 s.
    pub call_deadline: Duration,
    /// The same for appends, which may carry thousands of rows. Default 5 s.
    pub append_deadline: Duration,
    /// Longest wait for a connection of the pool, and for a new one to be made. Default 1 s.
    pub connection_wait: Duration,
}

impl PostgresSettings {
    /// The database of a URL with its secrets:
    /// `postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path/ca.pem`, or for a unix
    /// socket `postgres://user@/database?host=/run/postgresql`.
    ///
    /// `sslmode` is `disable`, `prefer` (the default: encrypted if the server can), `require` (encrypted), or
    /// `verify-full` (encrypted, and the certificate is checked against the system's roots or `sslrootcert`).
    /// `verify-ca` is taken for `verify-full`, and `sslrootcert` makes any mode but `disable` check.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            read_connections: 4,
            write_connections: 2,
            gate_connections: 2,
            call_deadline: Duration::from_millis(1_900),
            append_deadline: Duration::from_secs(5),
            connection_wait: Duration::from_secs(1),
        }
    }

    /// What connections are made from.
    pub(super) fn endpoint(&self) -> Result<Endpoint, StorageError> {
        let Url { plain, sslmode, sslrootcert } = Url::parse(&self.url);
        let mut config: Config = plain.parse().map_err(|_| unreadable("it cannot be read"))?;
        let checks = sslrootcert.is_some();
        let trust = match sslmode.as_deref().unwrap_or("prefer") {
            "disable" => None,
            "prefer" if !checks => {
                config.ssl_mode(SslMode::Prefer);
                Some(TlsTrust::Anyone)
            }
            "require" if !checks => {
                config.ssl_mode(SslMode::Require);
                Some(TlsTrust::Anyone)
            }
            "prefer" | "require" | "verify-ca" | "verify-full" => {
                config.ssl_mode(SslMode::Require);
                Some(sslrootcert.map_or(TlsTrust::System, |path| TlsTrust::File(PathBuf::from(path))))
            }
            _ => return Err(unreadable("sslmode is one of disable, prefer, require, verify-full")),
        };
        if trust.is_none() {
            config.ssl_mode(SslMode::Disable);
        }
        config
            .application_name("astranetmon")
            .connect_timeout(self.connection_wait)
            .tcp_user_timeout(Duration::from_secs(5))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        Ok(Endpoint { config, tls: trust.map(|trust| TlsClient::new(&trust)).transpose()? })
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("url", &"…")
            .field("read_connections", &self.read_connections)
            .field("write_connections", &self.write_connections)
            .field("gate_connections", &self.gate_connections)
            .field("call_deadline", &self.call_deadline)
            .field("append_deadline", &self.append_deadline)
            .field("connection_wait", &self.connection_wait)
            .finish()
    }
}

fn unreadable(why: &str) -> StorageError {
    StorageError::Unusable {
        reason: format!(
            "the database URL has the form postgres://user:password@host:5432/database or \
             postgres://user@/database?host=/run/postgresql: {why}"
        ),
    }
}

/// A server and how to speak to it.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) config: Config,
    pub(super) tls: Option<TlsClient>,
}

impl Endpoint {
    /// The same server, with these settings for each session.
    pub(super) fn with_session(&self, settings: &[(&str, &str)]) -> Self {
        let mut endpoint = self.clone();
        let mut options = endpoint.config.get_options().unwrap_or_default().to_owned();
        for (name, value) in settings {
            options.push_str(&format!(" -c {name}={value}"));
        }
        endpoint.config.options(options.trim_start());
        endpoint
    }
}

/// A URL whose parameters about certificates are set apart, since the driver knows fewer of them than libpq.
struct Url {
    plain: String,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
}

impl Url {
    fn parse(url: &str) -> Self {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut parsed = Self { plain: base.to_owned(), sslmode: None, sslrootcert: None };
        let mut separator = '?';
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => parsed.sslmode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => parsed.sslrootcert = Some(percent_decoded(value)),
                _ => {
                    parsed.plain.push(separator);
                    parsed.plain.push_str(parameter);
                    separator = '&';
                }
            }
        }
        parsed
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn a_url_says_how_far_the_server_is_trusted() {
        for (url, mode, encrypted) in [
            ("postgres://a@localhost/b", SslMode::Prefer, true),
            ("postgres://a@localhost/b?sslmode=disable", SslMode::Disable, false),
            ("postgres://a@localhost/b?sslmode=require&connect_timeout=3", SslMode::Require, true),
            ("postgres://a:p%40ss@localhost:6432/b?sslmode=verify-full", SslMode::Require, true),
            ("postgres://a@/b?host=/tmp/socket", SslMode::Prefer, true),
        ] {
            let endpoint = PostgresSettings::new(url).endpoint().expect(url);
            assert_eq!(endpoint.config.get_ssl_mode(), mode, "{url}");
            assert_eq!(endpoint.tls.is_some(), encrypted, "{url}");
        }
        let socket = PostgresSettings::new("postgres://a@/b?sslmode=disable&host=/tmp/s").endpoint().expect("readable");
        assert_eq!(socket.config.get_hosts(), [Host::Unix("/tmp/s".into())]);
        assert_eq!(socket.config.get_dbname(), Some("b"));
    }

    #[test]
    fn no_secret_shows_in_debug_or_in_errors() {
        let settings = PostgresSettings::new("postgres://alice:hunter2@host/db?sslmode=strange");
        let error = settings.endpoint().err().expect("refused");
        for text in [format!("{settings:?}"), error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("hunter2") && !text.contains("alice"), "{text}");
        }
        let broken = PostgresSettings::new("mysql://user:hunter2@host/db").endpoint().err().expect("refused");
        assert!(!broken.to_string().contains("hunter2"));
    }

    #[test]
    fn a_session_gets_its_settings_after_those_of_the_url() {
        let settings = PostgresSettings::new("postgres://a@localhost/b?options=-c%20search_path%3Dx");
        let endpoint = settings.endpoint().expect("readable").with_session(&[("jit", "off"), ("lock_timeout", "2s")]);
        assert_eq!(endpoint.config.get_options(), Some("-c search_path=x -c jit=off -c lock_timeout=2s"));
    }

    #[test]
    fn a_missing_root_certificate_is_named() {
        let url = "postgres://a@localhost/b?sslrootcert=/nowhere%2Fca.pem";
        let error = PostgresSettings::new(url).endpoint().err().expect("refused");
        assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
    }
}
