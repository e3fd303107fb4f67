use std::error::Error;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::WebhookSecret;
use astranetmon_domain::{Timestamp, WebhookUrl};
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, header, redirect};
use sha2::Sha256;

use super::UnusableSettings;
use super::address::may_connect;
use super::payload::Payload;
use crate::deliverer::DeliveryError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls webhooks: follows no redirect, keeps no connection, and connects to checked addresses only.
pub(super) struct WebhookClient {
    client: Client,
    allowed: Arc<[IpNet]>,
}

impl WebhookClient {
    pub(super) fn new(allowed: Vec<IpNet>) -> Result<Self, UnusableSettings> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .user_agent(concat!("AstraNetmon/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            // A kept connection would outlive the check of its address.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(CheckedResolver { allowed: Arc::clone(&allowed) }))
            .build()
            .map_err(|error| UnusableSettings(format!("webhooks cannot be called: {error}")))?;
        Ok(Self { client, allowed })
    }

    pub(super) async fn post(
        &self,
        url: &WebhookUrl,
        secret: &WebhookSecret,
        payload: &Payload,
        now: Timestamp,
    ) -> Result<(), DeliveryError> {
        let origin = url.origin();
        let address = Url::parse(url.reveal())
            .map_err(|_| DeliveryError::permanent(format!("{origin} is no URL that can be called.")))?;
        // Addresses that stand in the URL, in whatever notation, are never resolved.
        let literal = match address.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if literal.is_some_and(|literal| !may_connect(literal, &self.allowed)) {
            return Err(unreachable(origin));
        }
        let body = serde_json::to_vec(payload)
            .map_err(|_| DeliveryError::permanent("The message cannot be written as JSON."))?;
        let answer = self
            .client
            .post(address)
            .header(header::CONTENT_TYPE, "application/json")
            .header("X-Astra-Event-Id", payload.event_id.as_str())
            .header("X-Astra-Signature", signature(secret, now.as_seconds(), &body))
            .body(body)
            .send()
            .await
            .map_err(|error| failure(origin, &error))?;
        // What it says beside its status is of no use, and might be somebody's secret: it is not read.
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else if status.is_redirection() {
            Err(DeliveryError::temporary(format!(
                "{origin} answered with a redirect ({}), which is not followed.",
                status.as_u16()
            )))
        } else {
            Err(DeliveryError::temporary(format!("{origin} answered with status {}.", status.as_u16())))
        }
    }
}

/// The system's certificates decide.
fn tls() -> Result<rustls::ClientConfig, UnusableSettings> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| UnusableSettings(format!("TLS cannot be spoken: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// One sentence for what is unknown and for what is refused, so that a webhook cannot be used to look around inside.
fn unreachable(origin: &str) -> DeliveryError {
    DeliveryError::permanent(format!("{origin} has no address that webhooks may reach."))
}

fn failure(origin: &str, error: &reqwest::Error) -> DeliveryError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NoAddress>() {
            // Told apart neither by words nor by attempts. A name may have an address later.
            return DeliveryError { retryable: true, ..unreachable(origin) };
        }
        if error.is::<rustls::Error>() {
            return DeliveryError::temporary(format!("{origin} could not be verified: its certificate or TLS fails."));
        }
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && inner.is::<rustls::Error>()
        {
            return DeliveryError::temporary(format!("{origin} could not be verified: its certificate or TLS fails."));
        }
        cause = error.source();
    }
    DeliveryError::temporary(if error.is_timeout() {
        format!("{origin} did not answer within {} seconds.", TOTAL_TIMEOUT.as_secs())
    } else if error.is_connect() {
        format!("{origin} accepts no connection.")
    } else {
        format!("{origin} broke the connection off.")
    })
}

/// The header `X-Astra-Signature` of a body sent at `unix_seconds`: `t=<seconds>,v1=<hex>`, where hex is the
/// HMAC-SHA-256 of `<seconds>.<body>` under the secret's characters.
fn signature(secret: &WebhookSecret, unix_seconds: i64, body: &[u8]) -> String {
    let mut text = format!("t={unix_seconds},v1=");
    if let Some(mac) = mac(secret, unix_seconds, body) {
        for byte in mac.finalize().into_bytes() {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

fn mac(secret: &WebhookSecret, unix_seconds: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(format!("{unix_seconds}.").as_bytes());
    mac.update(body);
    Some(mac)
}

/// What a receiver does: whether the header `X-Astra-Signature` fits the body. The time in it is the receiver's to
/// judge; it is returned.
#[must_use]
pub fn verify_signature(secret: &WebhookSecret, header: &str, body: &[u8]) -> Option<Timestamp> {
    let (seconds, hex) = header.strip_prefix("t=")?.split_once(",v1=")?;
    let seconds: i64 = seconds.parse().ok()?;
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let given: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16)).collect::<Result<_, _>>().ok()?;
    mac(secret, seconds, body)?.verify_slice(&given).ok()?;
    Some(Timestamp::from_seconds(seconds))
}

/// A name is unknown, or has no address that may be reached.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no address that may be reached")]
struct NoAddress;

/// Resolves names to those of their addresses that may be reached. What it gives is what is connected to, so that a
/// name cannot point elsewhere after the check.
struct CheckedResolver {
    allowed: Arc<[IpNet]>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| NoAddress)?.collect();
            let checked: Vec<SocketAddr> =
                found.into_iter().filter(|address| may_connect(address.ip(), &allowed)).collect();
            if checked.is_empty() {
                return Err(NoAddress.into());
            }
            Ok::<Addrs, Box<dyn Error + Send + Sync>>(Box::new(checked.into_iter()))
        })
    }
}
