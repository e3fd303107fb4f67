//! A server of LibreSpeed's three paths, as small as can be.

use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::thread;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::namespaces::Namespace;

/// How the server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    /// Answers each upload of more than this many bytes with 413.
    SmallUploads(u64),
    /// Closes the connection in the middle of each download.
    BreaksDownloads,
    /// Knows no upload.
    NoUploads,
}

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _end: oneshot::Sender<()>,
}

impl Server {
    /// In a namespace.
    pub(crate) fn within(namespace: &Namespace, address: &str, manner: Manner) -> Self {
        // A socket stays in the namespace where it was opened, whichever thread uses it.
        Self::on(namespace.enter(|| StdTcpListener::bind(address).expect(address)), manner)
    }

    /// On this host.
    pub(crate) fn here(manner: Manner) -> Self {
        Self::on(StdTcpListener::bind("127.0.0.1:0").expect("a port"), manner)
    }

    fn on(listener: StdTcpListener, manner: Manner) -> Self {
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let (end, ended) = oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(async move {
                            // A client that goes away is no failure.
                            let _ = serve(stream, manner).await;
                        });
                    }
                };
                tokio::select! { () = accept => {}, _ = ended => {} }
            });
        });
        Self { address, _end: end }
    }
}

async fn serve(stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    loop {
        let mut request = String::new();
        if stream.read_line(&mut request).await? == 0 {
            return Ok(());
        }
        let (mut body_bytes, mut authorized) = (0, false);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(length) = line.strip_prefix("content-length: ") {
                body_bytes = length.parse().unwrap_or(0);
            }
            assert!(!line.starts_with("transfer-encoding"), "some servers take no body of unknown length");
            authorized |= line == "authorization: bearer secret";
            if line.is_empty() {
                break;
            }
        }
        let mut left: u64 = body_bytes;
        while left > 0 {
            let length = stream.fill_buf().await?.len();
            if length == 0 {
                return Ok(());
            }
            let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
            stream.consume(length);
            left -= length as u64;
        }
        let mut words = request.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = path.rsplit('/').next().unwrap_or_default();
        if path.contains("/ingest/") && !authorized {
            answer(&mut stream, "401 Unauthorized", b"").await?;
            continue;
        }
        match (method, name.trim_end_matches(".php")) {
            ("GET", "garbage") => {
                let mebibytes: u64 = query.strip_prefix("ckSize=").and_then(|size| size.parse().ok()).unwrap_or(4);
                let bytes = mebibytes << 20;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                let block = vec![0xa5; 64 << 10];
                for sent in 0..bytes / block.len() as u64 {
                    if manner == Manner::BreaksDownloads && sent == 2 {
                        return Ok(());
                    }
                    stream.write_all(&block).await?;
                }
                stream.flush().await?;
            }
            ("POST", "empty") if manner == Manner::NoUploads => answer(&mut stream, "404 Not Found", b"").await?,
            ("POST", "empty") if matches!(manner, Manner::SmallUploads(most) if body_bytes > most) => {
                answer(&mut stream, "413 Content Too Large", b"").await?;
            }
            ("GET" | "POST", "empty") => answer(&mut stream, "200 OK", b"").await?,
            ("GET", "getIP") => {
                let peer = stream.get_ref().peer_addr()?.ip();
                let body = format!(r#"{{"processedString":"{peer} - Example ISP (0 km)","rawIspInfo":""}}"#);
                answer(&mut stream, "200 OK", body.as_bytes()).await?;
            }
            _ => answer(&mut stream, "404 Not Found", b"").await?,
        }
    }
}

async fn answer(stream: &mut BufReader<TcpStream>, status: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    stream.flush().await
}
