//! Single requests to a server, and the sentences for what goes wrong with them.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CACHE_CONTROL};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};

use super::SpeedtestServer;

/// Longest time until a server accepts a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Longest time without a byte from a server that is to send some.
const SILENCE: Duration = Duration::from_secs(10);

/// A client with connections of its own: no proxy, which would be measured instead, and no redirect, which would take
/// a token elsewhere.
pub(super) fn client(tls: &rustls::ClientConfig) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(concat!("AstraNetmon/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WAIT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|error| format!("Speed tests cannot be made: {}.", innermost(&error)))
}

/// A request with all that the server asks for.
pub(super) fn request(client: &Client, server: &SpeedtestServer, method: Method, url: &Url) -> RequestBuilder {
    let request = client.request(method, url.clone()).header(CACHE_CONTROL, "no-store");
    match &server.authorization {
        Some(value) => request.header(AUTHORIZATION, value.clone()),
        None => request,
    }
}

/// The answer, if it is a good one.
///
/// # Errors
/// [`CallError`]
pub(super) async fn send(server: &SpeedtestServer, request: RequestBuilder) -> Result<Response, CallError> {
    let response = request.send().await.map_err(|error| CallError::broken(server, &error))?;
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(CallError::refused(server, status)) }
}

/// What went wrong, as a sentence.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) sentence: String,
    /// The server's answer, if there was one.
    pub(super) status: Option<StatusCode>,
}

impl CallError {
    fn refused(server: &SpeedtestServer, status: StatusCode) -> Self {
        let what = match status {
            StatusCode::NOT_FOUND => "offers no speed test at this address",
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "does not let this agent make speed tests",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "is busy with the speed tests of others",
            StatusCode::PAYLOAD_TOO_LARGE => "takes no request of this size",
            status if status.is_redirection() => "answered with a redirect, which is not followed",
            _ => "did not make a speed test",
        };
        let sentence = format!("{} {what} (status {}).", server.host(), status.as_u16());
        Self { sentence, status: Some(status) }
    }

    pub(super) fn broken(server: &SpeedtestServer, error: &reqwest::Error) -> Self {
        let host = server.host();
        let sentence = if error.is_connect() {
            format!("{host} could not be connected to: {}.", innermost(error))
        } else if error.is_timeout() {
            format!("{host} did not answer within {} seconds.", SILENCE.as_secs())
        } else {
            format!("{host} broke the connection off: {}.", innermost(error))
        };
        Self { sentence, status: None }
    }
}

/// The words of the cause of all causes.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or(&text).trim_end_matches('.').to_owned()
}
