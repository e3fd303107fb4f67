//! Receivers on loopback: a webhook's and a mailbox.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use astranetmon_alerts::{Post, PostSettings};
use astranetmon_auth::WebhookSecret;
use astranetmon_domain::Clock;
use astranetmon_storage::AlertDestination;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a webhook was called with.
#[derive(Debug)]
pub(crate) struct Call {
    /// `POST /path HTTP/1.1`
    pub(crate) request_line: String,
    /// By name in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// A webhook's receiver. It answers with each of its answers once, and then with the last one again and again.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    calls: UnboundedReceiver<Call>,
}

impl Receiver {
    pub(crate) async fn start(answers: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (sender, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            while let Ok((stream, _)) = listener.accept().await {
                answer = answers.next().unwrap_or(answer);
                tokio::spawn(receive(stream, sender.clone(), answer));
            }
        });
        Self { addr, calls }
    }

    pub(crate) async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(PATIENCE, self.calls.recv()).await.expect("in time");
        call.expect("a receiver")
    }

    pub(crate) fn was_called(&mut self) -> bool {
        self.calls.try_recv().is_ok()
    }

    pub(crate) fn destination(&self) -> AlertDestination {
        webhook(&format!("http://{}/hook?token=s3cret", self.addr))
    }
}

async fn receive(stream: TcpStream, calls: UnboundedSender<Call>, answer: &'static str) {
    let mut stream = BufReader::new(stream);
    let mut request_line = String::new();
    stream.read_line(&mut request_line).await.expect("a request");
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a header");
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    stream.write_all(answer.as_bytes()).await.expect("answered");
    // Whoever waits for the call has gone in some tests.
    let _ = calls.send(Call { request_line: request_line.trim_end().to_owned(), headers, body });
}

pub(crate) fn secret() -> WebhookSecret {
    WebhookSecret::generate(&mut StdRng::seed_from_u64(7))
}

pub(crate) fn webhook(url: &str) -> AlertDestination {
    AlertDestination::Webhook { url: url.parse().expect(url), secret: secret() }
}

/// The real way out, which may reach loopback.
pub(crate) fn post(settings: PostSettings, clock: Arc<dyn Clock>) -> Post {
    let allowed_networks = vec!["127.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")];
    Post::new(PostSettings { allowed_networks, ..settings }, clock).expect("usable")
}

/// A mail server that takes everything, or refuses recipients with a code.
pub(crate) struct MailSink {
    pub(crate) addr: SocketAddr,
    messages: UnboundedReceiver<String>,
}

impl MailSink {
    pub(crate) async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take_mail(stream, sender.clone(), refusal));
            }
        });
        Self { addr, messages }
    }

    /// Envelope and text of the next message, as they came.
    pub(crate) async fn message(&mut self) -> String {
        let message = tokio::time::timeout(PATIENCE, self.messages.recv()).await.expect("in time");
        message.expect("a sink")
    }
}

async fn take_mail(stream: TcpStream, messages: UnboundedSender<String>, refusal: Option<&'static str>) {
    let mut stream = BufReader::new(stream);
    let mut taken = String::new();
    let mut say = "220 sink\r\n";
    let mut in_text = false;
    loop {
        if !say.is_empty() && stream.write_all(say.as_bytes()).await.is_err() {
            return;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        taken.push_str(&line);
        say = if in_text {
            if line != ".\r\n" {
                ""
            } else {
                in_text = false;
                let _ = messages.send(std::mem::take(&mut taken));
                "250 taken\r\n"
            }
        } else if line.starts_with("RCPT") {
            refusal.unwrap_or("250 ok\r\n")
        } else if line.starts_with("DATA") {
            in_text = true;
            "354 go on\r\n"
        } else if line.starts_with("QUIT") {
            "221 bye\r\n"
        } else {
            "250 ok\r\n"
        };
    }
}
