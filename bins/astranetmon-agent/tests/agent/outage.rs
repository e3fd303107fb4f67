use std::time::Duration;

use crate::support::fake_server::{FakeServer, Reply};
use crate::support::{FAST, agent, counts, run};

/// Ten minutes of an agent that measures every ten seconds: sixty intervals.
#[tokio::test]
async fn rows_of_ten_minutes_without_a_server_arrive_late_in_order_and_once() {
    let folder = tempfile::tempdir().expect("folder");
    let server = FakeServer::start();
    let agent = agent(&server, FAST);
    run(agent, folder.path(), async {
        server.has(|store| store.rows.len() >= 5).await;
        server.behave(|_| Reply::Close);
        let before = server.store().rows.len();
        tokio::time::sleep(FAST.interval * 60).await;
        assert_eq!(server.store().rows.len(), before, "nothing came meanwhile");
        server.behave(|_| Reply::Take);
        server.has(|store| store.rows.len() >= before + 55).await;
        tokio::time::sleep(FAST.interval * 5).await;
    })
    .await;
    let store = server.store();
    let times = store.keys_of("metrics");
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times.len(), store.rows.len());
    let most_waiting =
        store.heartbeats.iter().filter_map(|beat| beat["spool"]["row_count"].as_u64()).max().expect("some");
    assert!(most_waiting >= 50, "the server was told how many wait: {most_waiting}");
    let known = store.known;
    let rows = store.rows.len() as u64;
    drop(store);
    let counts = counts(folder.path());
    assert_eq!((counts.settled, counts.waiting, counts.dropped), (rows, 0, 0), "every row that was kept arrived");
    assert_eq!(known, 0, "no row was sent twice, since none was taken without an answer");
}

#[tokio::test]
async fn an_agent_starts_without_its_server_and_finds_it_when_it_comes() {
    let folder = tempfile::tempdir().expect("folder");
    let server = FakeServer::start();
    let (address, agent) = (server.address(), agent(&server, FAST));
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut later = None;
    run(agent, folder.path(), async {
        tokio::time::sleep(FAST.interval * 10).await;
        later.insert(FakeServer::start_at(address)).has_rows(12).await;
    })
    .await;
    let server = later.expect("started");
    let store = server.store();
    assert!(store.keys_of("metrics").is_sorted());
    assert_eq!((store.known, counts(folder.path()).settled), (0, store.rows.len() as u64));
}
