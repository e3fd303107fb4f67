use std::sync::atomic::Ordering;

use actix_web::{App, HttpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::test_service::{TestService, api_under_test};

async fn send(stream: &mut TcpStream, path: &str, key: &str, more: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
}

/// One answer with a known length.
async fn receive(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse::<usize>().expect("number") {
                return text;
            }
        }
        let count = stream.read_buf(&mut bytes).await.expect("received");
        assert!(count > 0, "closed after {text:?}");
    }
}

#[actix_web::test]
async fn over_a_connection_panics_are_answered_resets_harm_nobody_and_draining_closes() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let (state, gate) = (service.state.clone(), service.gate.clone());
    let server = HttpServer::new(move || App::new().service(api_under_test(state.clone(), gate.clone())))
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("bound");
    let address = server.addrs()[0];
    let running = server.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    let connect = async || TcpStream::connect(address).await.expect("connected");

    let mut honest = connect().await;
    send(&mut honest, "/api/v1/panic", &key, "").await;
    let panicked = receive(&mut honest).await;
    assert!(panicked.starts_with("HTTP/1.1 500 ") && panicked.ends_with("{\"error\":\"Internal server error\"}"));
    send(&mut honest, "/api/v1/metrics", &key, "").await;
    let answer = receive(&mut honest).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("server:"), "{answer}");

    let mut reset = connect().await;
    send(&mut reset, "/api/v1/gate", &key, "").await;
    while service.gate.entered.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    reset.set_zero_linger().expect("set");
    drop(reset);
    send(&mut honest, "/api/v1/metrics", &key, "").await;
    assert!(receive(&mut honest).await.starts_with("HTTP/1.1 200 "));
    service.gate.opened.notify_waiters();
    while service.gate.left.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }

    service.state.drain();
    send(&mut honest, "/api/v1/metrics", &key, "").await;
    let last = receive(&mut honest).await;
    assert!(last.starts_with("HTTP/1.1 200 ") && last.contains("connection: close"), "{last}");
    assert_eq!(honest.read(&mut [0; 1]).await.expect("end"), 0);
    handle.stop(false).await;
}
