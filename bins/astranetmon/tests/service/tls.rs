//! HTTPS from the program itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::support::{Database, Kind, Server};

fn certificate(name: &str, extension: &str) -> String {
    format!("{}/tests/certificates/{name}.{extension}", env!("CARGO_MANIFEST_DIR"))
}

fn put(name: &str, folder: &Path) {
    for extension in ["crt", "key"] {
        std::fs::copy(certificate(name, extension), folder.join(format!("server.{extension}"))).expect("copied");
    }
}

/// A connection that trusts only the certificate `trusted`.
fn connect(server: &Server, trusted: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate(trusted, "crt")).expect("PEM")).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a client");
    let stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    StreamOwned::new(client, stream)
}

/// Asks for `path` and reads the answer to its end.
fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>, path: &str, connection: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n")?;
    let mut text = String::new();
    let mut part = [0; 4_096];
    while !text.ends_with('}') {
        let read = stream.read(&mut part)?;
        assert!(read > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&part[..read]).expect("UTF-8"));
    }
    Ok(text)
}

#[tokio::test]
async fn a_server_with_a_certificate_speaks_https_and_takes_a_new_one_on_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    put("first", folder.path());
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (cert, key) = (path("server.crt"), path("server.key"));
    let database = Database::new(Kind::Sqlite).await;
    database.office().await.close().await;
    let variables = [("ASTRANETMON_TLS_CERT", cert.as_str()), ("ASTRANETMON_TLS_KEY", key.as_str())];
    let server = Server::start_with(&database, &variables);
    assert!(server.url().starts_with("https://"), "{}", server.url());

    let mut open = connect(&server, "first");
    for _ in 0..2 {
        let answer = ask(&mut open, "/healthz", "keep-alive").expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
        assert!(answer.contains("strict-transport-security: max-age=31536000; includeSubDomains\r\n"), "{answer}");
    }
    assert_eq!(open.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(ask(&mut connect(&server, "second"), "/healthz", "close").is_err(), "trusted by nobody yet");

    put("second", folder.path());
    server.hang_up();
    let deadline = Instant::now() + Duration::from_secs(5);
    while ask(&mut connect(&server, "second"), "/healthz", "close").is_err() {
        assert!(Instant::now() < deadline, "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ask(&mut open, "/healthz", "keep-alive").expect("open connections keep theirs");
    server.stop().await;
}
