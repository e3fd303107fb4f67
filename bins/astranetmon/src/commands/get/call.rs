//! Asking the server, as often as it takes.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// A server that keeps asking to wait is left alone after so many requests.
const TRIES: u32 = 10;

pub(super) struct Caller {
    client: Client,
    server: Url,
    key: Zeroizing<String>,
    longest_wait: Duration,
}

impl Caller {
    pub(super) fn new(
        server: &str,
        key: &str,
        ca_file: Option<&Path>,
        insecure_http: bool,
        longest_wait: Duration,
    ) -> Result<Self, Failure> {
        let url = Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| {
            Failure::usage(format!("{server} is no address of a server, such as https://monitoring.example.com"))
        })?;
        if url.scheme() == "http" && !is_this_machine(&url) && !insecure_http {
            return Err(Failure::usage(format!(
                "{server} would send the key in the clear: use https, or allow it with --insecure-http"
            )));
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls(&url, ca_file)?)
            .user_agent(concat!("astranetmon/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            .build()
            .map_err(|error| Failure::caused("the server cannot be called", &error))?;
        Ok(Self { client, server: url, key: Zeroizing::new(key.to_owned()), longest_wait })
    }

    /// The answer to a request that succeeded.
    pub(super) async fn get(&self, path_and_query: &str) -> Result<Response, Failure> {
        let url = self.server.join(path_and_query).map_err(|error| Failure::usage(error.to_string()))?;
        for _ in 0..TRIES {
            let sent = self.client.get(url.clone()).bearer_auth(self.key.as_str()).send().await;
            let response = sent.map_err(|error| {
                Failure::caused(&format!("{} cannot be reached", self.server), &error.without_url())
            })?;
            let status = response.status();
            if status == StatusCode::OK {
                return Ok(response);
            }
            let wait = retry_after(&response);
            let sentence = sentence(response).await;
            match status {
                StatusCode::BAD_REQUEST => return Err(Failure::usage(sentence)),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Failure::Denied(sentence)),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    let wait = wait.unwrap_or(Duration::from_secs(1));
                    if wait > self.longest_wait {
                        let seconds = wait.as_secs();
                        return Err(Failure::TryLater(format!("{sentence}; the server asks to wait for {seconds} s")));
                    }
                    eprintln!("astranetmon: {sentence}; trying again in {} s", wait.as_secs());
                    actix_web::rt::time::sleep(wait).await;
                }
                _ => return Err(Failure::failed(format!("{}: {sentence}", status.as_u16()))),
            }
        }
        Err(Failure::TryLater("the server keeps asking to wait".to_owned()))
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What the server says of a failure.
async fn sentence(response: Response) -> String {
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    let value: Option<Value> = serde_json::from_slice(&body).ok();
    let said = value.as_ref().and_then(|value| value["error"].as_str());
    said.map_or_else(|| format!("the server answered {status}"), str::to_owned)
}

/// Whom to trust: the system's certificates and those of the file; nobody for plain HTTP.
fn tls(url: &Url, ca_file: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if url.scheme() == "https" {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let unreadable = |error: &dyn std::fmt::Display| {
                Failure::usage(format!("{} has no certificates to trust (PEM): {error}", path.display()))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        if roots.is_empty() {
            return Err(Failure::failed(
                "this system has no certificates to trust: install ca-certificates, or name some with --ca-file",
            ));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::caused("TLS cannot be spoken", &error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
