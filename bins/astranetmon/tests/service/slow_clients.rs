//! Clients that take their time hold nothing for long, and nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use astranetmon_domain::Plan;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Caller, Database, Kind, Server, Wire, alone, count, fleet, now};

/// What is promised to a peer that does not go on.
const PEER_LIMIT: Duration = Duration::from_secs(10);
/// Twice what an idle connection is promised, which is what a client that was refused becomes.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const MOST_MEMORY: u64 = 256 << 20;

/// What a slow client does once it is connected.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Its first request comes a byte a second.
    FirstHead,
    /// A good request, then one that comes a byte a second.
    SecondHead,
    /// A body is announced and does not come.
    NoBody,
    /// A body of no announced length does not come.
    SilentBody,
    /// A body that nobody reads comes a byte a second.
    SlowBody,
    /// A large answer is read a byte a second.
    SlowRead,
}

impl Manner {
    const ALL: [Self; 6] =
        [Self::FirstHead, Self::SecondHead, Self::NoBody, Self::SilentBody, Self::SlowBody, Self::SlowRead];

    fn clients(self) -> usize {
        match self {
            Self::FirstHead | Self::SecondHead => count(50, 1_000),
            Self::NoBody | Self::SilentBody | Self::SlowBody | Self::SlowRead => count(40, 200),
        }
    }

    /// Until the server hangs up.
    async fn act(self, address: &str, key: &str) {
        let mut wire = Wire::connect_narrow(address).await;
        let head = |method: &str, more: &str| {
            format!("{method} /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{more}\r\n")
        };
        let good = head("GET", "");
        match self {
            Self::FirstHead => drip(&mut wire, &good.as_bytes()[..good.len() - 2]).await,
            Self::SecondHead => {
                wire.send_get("/api/v1/agents", key).await.expect("sent");
                wire.status().await.expect("an answer");
                drip(&mut wire, &good.as_bytes()[..good.len() - 2]).await;
            }
            Self::NoBody => {
                wire.send(head("POST", "Content-Length: 10\r\n").as_bytes()).await.expect("sent");
                while wire.read_byte().await.is_some() {}
            }
            Self::SilentBody => {
                wire.send(head("POST", "Transfer-Encoding: chunked\r\n").as_bytes()).await.expect("sent");
                while wire.read_byte().await.is_some() {}
            }
            Self::SlowBody => {
                wire.send(head("POST", "Transfer-Encoding: chunked\r\n").as_bytes()).await.expect("sent");
                drip(&mut wire, &b"1\r\nx\r\n".repeat(100)).await;
            }
            Self::SlowRead => {
                wire.send_get("/api/v1/metrics?limit=10000", key).await.expect("sent");
                // What has arrived can be read long after the server has hung up; the test looks at the server.
                loop {
                    wire.read_byte().await;
                    sleep(SECOND).await;
                }
            }
        }
    }
}

/// A byte a second, until nobody takes them.
async fn drip(wire: &mut Wire, bytes: &[u8]) {
    for byte in bytes {
        if wire.send(&[*byte]).await.is_err() {
            return;
        }
        sleep(SECOND).await;
    }
    panic!("took {} bytes, one a second", bytes.len());
}

/// Reads 20 KB a second for longer than the limit, then the rest, which must be whole.
async fn read_slowly(mut wire: Wire) {
    let start = Instant::now();
    while start.elapsed() < PEER_LIMIT + 3 * SECOND {
        wire.read_bytes(2_000).await.expect("cut off though it reads");
        sleep(SECOND / 10).await;
    }
    let mut end = Vec::new();
    while let Some(bytes) = wire.read_bytes(60_000).await {
        end = bytes;
    }
    assert!(end.ends_with(b"0\r\n\r\n"), "the answer is cut off");
}

/// A body that nobody asked for comes after the answer, and then another request.
async fn send_a_body_late(address: &str, key: &str) {
    let mut wire = Wire::connect(address).await;
    let head = format!(
        "POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    wire.send(head.as_bytes()).await.expect("sent");
    assert_eq!(wire.status().await, Some(405));
    sleep(SECOND).await;
    wire.send(b"1\r\nx\r\n0\r\n\r\n").await.expect("sent");
    wire.send_get("/api/v1/agents", key).await.expect("sent");
    assert_eq!(wire.status().await, Some(200));
}

#[tokio::test]
async fn clients_that_take_their_time_are_cut_off_and_hold_nobody_up() {
    let _alone = alone().await;
    let database = Database::new(Kind::Sqlite).await;
    let office = database.office().await;
    let honest = office.account("honest", Plan::Enterprise).await;
    fleet(&office, &honest, &["one"], 20, now(), "honest", 0).await;
    let slow = office.account("slow", Plan::Enterprise).await;
    fleet(&office, &slow, &["one", "two"], 5_000, now(), "slow", 0).await;
    let (honest_key, slow_key) = (office.key(&honest).await.secret, office.key(&slow).await.secret);
    // Slow readers take all that their account may have at once, so the others need one of their own.
    let dripping_key = office.key(&office.account("dripping", Plan::Enterprise).await).await.secret;
    office.close().await;
    let server = Server::start(&database);
    let caller = Caller::new();
    assert_eq!(caller.get(&server, "/api/v1/metrics?limit=10000", &slow_key).await.status, 200);
    drop(caller);

    let (files_before, memory_before) = (server.open_files(), server.resident_bytes());
    let over = Arc::new(AtomicBool::new(false));
    let honest_caller = {
        let (over, url, honest_key) = (Arc::clone(&over), server.url().to_owned(), honest_key.clone());
        tokio::spawn(async move {
            let (caller, mut answered) = (Caller::new(), 0);
            while !over.load(Ordering::Relaxed) {
                for path in ["/api/v1/agents", "/api/v1/metrics?limit=20"] {
                    let answer = caller.try_get(&url, path, &honest_key).await.expect("an answer");
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered += 1;
                }
                sleep(Duration::from_millis(20)).await;
            }
            answered
        })
    };
    let mut patient = Wire::connect_narrow(server.address()).await;
    patient.send_get("/api/v1/metrics?limit=10000", &slow_key).await.expect("sent");
    patient.read_byte().await.expect("an answer");
    let slow_and_honest = {
        let (address, key) = (server.address().to_owned(), honest_key);
        tokio::spawn(async move { tokio::join!(read_slowly(patient), send_a_body_late(&address, &key)) })
    };
    let (mut clients, mut readers) = (JoinSet::new(), JoinSet::new());
    for manner in Manner::ALL {
        for _ in 0..manner.clients() {
            let (set, key) = match manner {
                Manner::SlowRead => (&mut readers, &slow_key),
                _ => (&mut clients, &dripping_key),
            };
            let (address, key) = (server.address().to_owned(), key.clone());
            set.spawn(async move { manner.act(&address, &key).await });
        }
    }
    let start = Instant::now();
    sleep(SECOND).await;
    let (mut most_memory, mut files) = (0, server.open_files());
    assert!(files > files_before + 100, "only {files} files: nobody is slow");
    // The honest ones have connections of their own.
    while files > files_before + 4 {
        assert!(start.elapsed() < ENDS_WITHIN, "{files} files, {files_before} before");
        sleep(Duration::from_millis(200)).await;
        files = server.open_files();
        most_memory = most_memory.max(server.resident_bytes());
    }
    println!("all cut off after {:?}; {} MiB in use", start.elapsed(), most_memory >> 20);
    assert!(most_memory < memory_before + MOST_MEMORY, "{memory_before} bytes, then {most_memory}");
    over.store(true, Ordering::Relaxed);
    assert!(honest_caller.await.expect("no panic") > 100);
    slow_and_honest.await.expect("no panic");
    timeout(ENDS_WITHIN, clients.join_all()).await.expect("they are told");
    // What was read for those who did not is given back.
    for _ in 0..8 {
        assert_eq!(Caller::new().get(&server, "/api/v1/metrics?limit=10000", &slow_key).await.status, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_a_server_that_ends() {
    let _alone = alone().await;
    let database = Database::new(Kind::Sqlite).await;
    let office = database.office().await;
    let account = office.account("slow", Plan::Enterprise).await;
    fleet(&office, &account, &["one", "two"], 5_000, now(), "slow", 0).await;
    let key = office.key(&account).await.secret;
    office.close().await;
    let mut server = Server::start(&database);
    let mut wire = Wire::connect_narrow(server.address()).await;
    wire.send_get("/api/v1/metrics?limit=10000", &key).await.expect("sent");
    wire.read_byte().await.expect("an answer");
    server.terminate();
    // Twice the time that requests in flight are given.
    server.ended(Duration::from_secs(20)).await;
}
