//! Clients whose calls are written down, and whose requests can be spoilt on their way.

use std::sync::Mutex;

use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Request, Response};

use crate::client::Client;

/// Method, path and status of every call of a generated operation.
static CALLS: Mutex<String> = Mutex::new(String::new());
/// What is done to the next request before it is sent.
static SPOIL: Mutex<Option<fn(&mut Request)>> = Mutex::new(None);

impl ClientHooks for Client {
    async fn exec(&self, mut request: Request, _: &OperationInfo) -> reqwest::Result<Response> {
        let called = format!("{} {}", request.method(), request.url().path());
        if let Some(spoil) = SPOIL.lock().expect("not poisoned").take() {
            spoil(&mut request);
        }
        let response = self.client().execute(request).await?;
        let line = format!("{called} {}\n", response.status().as_u16());
        CALLS.lock().expect("not poisoned").push_str(&line);
        Ok(response)
    }
}

pub fn calls() -> String {
    CALLS.lock().expect("not poisoned").clone()
}

/// Spoils the next request.
pub fn spoil(spoil: fn(&mut Request)) {
    *SPOIL.lock().expect("not poisoned") = Some(spoil);
}

/// A client that sends a key or a token.
pub fn with_key(url: &str, key: &str) -> Client {
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).expect("a key is plain text");
    value.set_sensitive(true);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let client = reqwest::Client::builder().default_headers(headers).build().expect("a client");
    Client::new_with_client(url, client)
}

/// What leads to the next page, from the answer's `Link` header.
pub fn cursor_of(headers: &HeaderMap) -> Option<String> {
    let link = headers.get("link")?.to_str().expect("plain text");
    let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).expect(link);
    let url = reqwest::Url::parse("http://localhost").and_then(|base| base.join(target)).expect(target);
    let cursor = url.query_pairs().find(|(name, _)| name == "cursor").expect(target);
    Some(cursor.1.into_owned())
}
