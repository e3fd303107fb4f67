//! Just enough HTTP/1.1 to receive what the agent sends.

use std::collections::HashMap;
use std::io::Read;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request whose body is JSON.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: serde_json::Value,
    /// Length of the body as it was sent.
    pub(crate) encoded_length: usize,
}

/// `None` once the peer is gone.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("text");
    let mut lines = head.lines();
    let path = lines.next().expect("a request line").split(' ').nth(1).expect("a path").to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
    let mut encoded = vec![0; length];
    stream.read_exact(&mut encoded).await.ok()?;
    let mut decoded = Vec::new();
    match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => {
            flate2::read::GzDecoder::new(encoded.as_slice()).read_to_end(&mut decoded).expect("gzip");
        }
        None => decoded.clone_from(&encoded),
        Some(other) => panic!("{other}"),
    }
    let body = serde_json::from_slice(&decoded).expect("JSON");
    Some(Request { path, headers, body, encoded_length: length })
}

pub(crate) async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    // The peer may be gone.
    let _ = stream.write_all(text.as_bytes()).await;
}
