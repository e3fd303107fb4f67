//! Speaking to the server.

mod resolver;
mod trust;

use std::io::Write;
use std::time::Duration;

use astranetmon_ingest::Secret;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, StatusCode, header, redirect};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use astranetmon_domain::Timestamp;

pub(crate) use self::resolver::has_only_private_addresses;
pub(crate) use self::trust::tls;
use crate::Failure;
use crate::configuration::{Clear, ServerUrl, TlsSettings};

/// A connection to the server, made when it is needed and kept. One request is in flight at a time.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    url: ServerUrl,
    client: Client,
    timeout: Duration,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// How long the server asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// Longest answer that is read: the refusals of a batch and more.
const MAX_REPLY_BYTES: usize = 1 << 20;
/// Bodies shorter than this are not worth compressing.
const COMPRESSED_FROM: usize = 512;
/// A server that asks to be left alone for longer is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

impl Server {
    /// `timeout` is that of a whole request.
    ///
    /// # Errors
    /// A URL that would send a token in the clear, or certificates that cannot be read.
    pub(crate) fn new(
        url: ServerUrl,
        tls: &TlsSettings,
        insecure_http: bool,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let clear = url.clear(insecure_http)?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(trust::tls(&url, tls)?)
            .user_agent(concat!("astranetmon-agent/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .pool_max_idle_per_host(1)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout);
        if clear == Clear::PrivateOnly {
            builder = builder.dns_resolver(std::sync::Arc::new(resolver::PrivateOnly));
        }
        let client = builder.build().map_err(|error| Failure::caused("the server cannot be called", &error))?;
        Ok(Self { url, client, timeout })
    }

    /// Where it is.
    #[must_use]
    pub(crate) const fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Posts JSON to a path. `compressed`: as gzip, if it is worth it. `now` is for a date in the answer.
    ///
    /// # Errors
    /// One sentence for a server that gave no answer.
    pub(crate) async fn post(
        &self,
        path: &str,
        token: Option<&Secret>,
        json: Vec<u8>,
        compressed: bool,
        now: Timestamp,
    ) -> Result<Reply, String> {
        let mut request = self.client.post(self.url.join(path)).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token.reveal());
        }
        let request = match gzip(&json).filter(|_| compressed && json.len() >= COMPRESSED_FROM) {
            Some(body) => request.header(header::CONTENT_ENCODING, "gzip").body(body),
            None => request.body(json),
        };
        let mut response = request.send().await.map_err(|error| self.sentence(&error))?;
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.sentence(&error))? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(format!("{} answered with more than {MAX_REPLY_BYTES} bytes", self.url));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, retry_after, body })
    }

    fn sentence(&self, error: &reqwest::Error) -> String {
        let url = &self.url;
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut innermost = String::new();
        while let Some(error) = cause {
            if error.is::<resolver::NotPrivate>() {
                return format!("{url} has {error}");
            }
            innermost = error.to_string();
            cause = error.source();
        }
        if error.is_timeout() {
            format!("{url} did not answer within {} seconds", self.timeout.as_secs_f32())
        } else if error.is_connect() {
            format!("{url} accepts no connection: {innermost}")
        } else {
            format!("{url} broke the connection off: {innermost}")
        }
    }
}

impl Reply {
    /// What the server says is wrong, in its own form, or what the status means.
    pub(crate) fn complaint(&self) -> String {
        match self.own_words() {
            Some(words) => format!("{}: {}", self.status, astranetmon_domain::clean_text(&words, 300)),
            None => {
                let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
                format!("{} {}", self.status, reason.unwrap_or("without a reason"))
            }
        }
    }

    /// Whether it is our server that complains, and not something on the way to it.
    pub(crate) fn is_own(&self) -> bool {
        self.own_words().is_some()
    }

    fn own_words(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Complaint {
            error: String,
        }
        serde_json::from_slice::<Complaint>(&self.body).ok().map(|complaint| complaint.error)
    }
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(4));
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let wait = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = OffsetDateTime::parse(value.trim(), &Rfc2822).ok()?.unix_timestamp();
            Duration::from_secs(u64::try_from(at - now.as_seconds()).unwrap_or(0))
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = Timestamp::from_seconds(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("86400", Some(3_600)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn a_complaint_is_the_servers_own_or_the_status() {
        let reply = |status, body: &str| Reply { status, retry_after: None, body: body.as_bytes().to_vec() };
        assert_eq!(reply(507, r#"{"error": "The database\u001b is full"}"#).complaint(), "507: The database is full");
        assert_eq!(reply(502, "<html>").complaint(), "502 Bad Gateway");
        assert_eq!(reply(799, "").complaint(), "799 without a reason");
    }
}
