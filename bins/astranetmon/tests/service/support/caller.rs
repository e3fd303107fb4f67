use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Server;

/// A client program with an HTTP client of its own.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
}

/// What a caller got.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// The cookies it sets, as a browser sends them.
    pub(crate) fn cookies(&self) -> String {
        let lines = self.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("ASCII"));
        lines.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Path and query of the next page, if there is one.
    pub(crate) fn next_page(&self) -> Option<String> {
        let (target, _) = self.header("link")?.strip_prefix('<')?.split_once(">; rel=\"next\"")?;
        Some(target.to_owned())
    }

    /// The one sentence of an error, whose form is the contract's.
    pub(crate) fn error(&self) -> String {
        let body = self.json();
        let members = body.as_object().expect("an object");
        assert_eq!(members.keys().collect::<Vec<_>>(), ["error"], "{}", self.body);
        members["error"].as_str().expect("a sentence").to_owned()
    }

    /// The one sentence of an error in the form of Prometheus.
    pub(crate) fn prometheus_error(&self) -> String {
        let body = self.json();
        let members = body.as_object().expect("an object");
        assert_eq!(members.keys().collect::<Vec<_>>(), ["error", "errorType", "status"], "{}", self.body);
        assert_eq!(members["status"], "error", "{}", self.body);
        members["error"].as_str().expect("a sentence").to_owned()
    }
}

impl Caller {
    pub(crate) fn new() -> Self {
        // The client is built for TLS without a provider of its own; that one is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self { client }
    }

    /// `Err` if there was no complete answer.
    pub(crate) async fn try_get(&self, server_url: &str, path: &str, key: &str) -> Result<Answer, reqwest::Error> {
        let bearer = format!("Bearer {key}");
        self.send(Method::GET, &format!("{server_url}{path}"), Some(&bearer), &[]).await
    }

    pub(crate) async fn get(&self, server: &Server, path: &str, key: &str) -> Answer {
        self.try_get(server.url(), path, key).await.expect("an answer")
    }

    /// Without a credential.
    pub(crate) async fn get_open(&self, server: &Server, path: &str) -> Answer {
        self.ask(server, Method::GET, path, None, &[]).await
    }

    pub(crate) async fn ask(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        authorization: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(method, &format!("{}{path}", server.url()), authorization, headers).await.expect("an answer")
    }

    /// With a JSON body and no credential but what stands in the headers.
    pub(crate) async fn send_json(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", server.url())).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.expect("a body") }
    }

    /// With a JSON body and a token; `Err` if there was no complete answer.
    pub(crate) async fn try_post(
        &self,
        server_url: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{server_url}{path}")).bearer_auth(token).json(body);
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        authorization: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, url);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }
}

/// A connection on which bytes are written by hand.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::try_connect(address).await.expect("a connection")
    }

    /// `None` if nobody takes the connection.
    pub(crate) async fn try_connect(address: &str) -> Option<Self> {
        TcpStream::connect(address).await.ok().map(Self)
    }

    /// A peer whose system keeps little of what it does not read.
    pub(crate) async fn connect_narrow(address: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("it can be set");
        Self(socket.connect(address.parse().expect("an address")).await.expect("a connection"))
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Reads one byte; `None` if the other side has closed.
    pub(crate) async fn read_byte(&mut self) -> Option<u8> {
        self.0.read_u8().await.ok()
    }

    /// Reads at most so many bytes; `None` if the other side has closed.
    pub(crate) async fn read_bytes(&mut self, most: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; most];
        let read = self.0.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
        bytes.truncate(read);
        Some(bytes)
    }

    pub(crate) async fn send_get(&mut self, path: &str, key: &str) -> std::io::Result<()> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n");
        self.0.write_all(head.as_bytes()).await
    }

    /// The status of an answer with a short body, which it reads; `None` if the other side has closed.
    pub(crate) async fn status(&mut self) -> Option<u16> {
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let field = |name: &str| {
                    head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(str::to_owned))
                };
                let length: usize = field("content-length: ").expect("a length").trim().parse().expect("a number");
                if body.len() >= length {
                    return Some(head.split(' ').nth(1).expect("a status").parse().expect("a number"));
                }
            }
            if self.0.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Hangs up with a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        self.0.set_zero_linger().expect("it can be set");
    }
}
