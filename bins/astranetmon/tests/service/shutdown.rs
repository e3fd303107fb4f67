//! How a server ends, and what keeps a second one from starting.

use std::time::Duration;

use astranetmon_domain::Plan;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use crate::support::{Database, Kind, Server, Wire, alone, astranetmon, fleet, now};

const ENDS_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn sigterm_lets_requests_in_flight_finish_and_takes_no_new_ones() {
    let _alone = alone().await;
    let database = Database::postgres().await;
    let office = database.office().await;
    let account = office.account("draining", Plan::Enterprise).await;
    fleet(&office, &account, &["one"], 10, now(), "draining", 0).await;
    let key = office.key(&account).await.secret;
    let mut server = Server::start(&database);

    // The key is looked up beforehand, then the query waits for a lock.
    let mut in_flight = Wire::connect(server.address()).await;
    in_flight.send_get("/api/v1/agents", &key).await.expect("sent");
    assert_eq!(in_flight.status().await, Some(200));
    let (mut holder, connection) = tokio_postgres::connect(database.url(), NoTls).await.expect("a connection");
    let connection = tokio::spawn(connection);
    let lock = holder.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE agent IN ACCESS EXCLUSIVE MODE").await.expect("locked");
    in_flight.send_get("/api/v1/agents", &key).await.expect("sent");
    sleep(Duration::from_millis(200)).await;

    server.terminate();
    sleep(Duration::from_millis(300)).await;
    // Whoever still gets a connection is sent away.
    if let Some(mut late) = Wire::try_connect(server.address()).await {
        let _ = late.send_get("/readyz", &key).await;
        let told = tokio::time::timeout(Duration::from_secs(1), late.status()).await;
        assert!(!matches!(told, Ok(Some(200))), "ready while it stops");
    }
    lock.commit().await.expect("unlocked");
    assert_eq!(in_flight.status().await, Some(200), "the request in flight was cut off");
    assert_eq!(in_flight.status().await, None, "its connection stays open");
    let status = server.ended(ENDS_WITHIN).await;
    assert_eq!(status.code(), Some(0), "{}", server.log().join("\n"));
    connection.abort();
}

#[tokio::test]
async fn idle_connections_do_not_hold_a_server_that_ends() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let key = office.key(&office.account("idle", Plan::Enterprise).await).await.secret;
        office.close().await;
        let mut server = Server::start(&database);
        let mut idle = Vec::new();
        for _ in 0..8 {
            let mut wire = Wire::connect(server.address()).await;
            wire.send_get("/api/v1/agents", &key).await.expect("sent");
            assert_eq!(wire.status().await, Some(200));
            idle.push(wire);
        }
        idle.push(Wire::connect(server.address()).await);
        server.terminate();
        let status = server.ended(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{kind:?}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused_with_one_sentence() {
    let database = Database::sqlite();
    let first = Server::start(&database);
    let second = astranetmon(&database, &["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off"]).await;
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).expect("UTF-8");
    let sentences: Vec<_> = told.lines().filter(|line| line.starts_with("astranetmon: ")).collect();
    assert_eq!(sentences.len(), 1, "{told}");
    assert!(sentences[0].contains("test.sqlite3"), "{told}");
    first.stop().await;
    Server::start(&database).stop().await;
}
