use std::time::Duration;

use crate::support::fake_server::{FakeServer, Reply};
use crate::support::{FAST, SILENT, agent, counts, run};
use astranetmon_agent::spool::{Row, RowKind, Spool, SpoolBounds};
use astranetmon_domain::Timestamp;
use tokio::sync::watch;

/// Ten minutes of an agent that measures every ten seconds.
const INTERVALS: u64 = 60;

#[tokio::test]
async fn rows_of_ten_minutes_without_a_server_arrive_late_in_order_and_once() {
    let folder = tempfile::tempdir().expect("folder");
    let server = FakeServer::start();
    let agent = agent(&server, FAST);
    run(agent, folder.path(), async {
        server.has(|store| store.rows.len() >= 5).await;
        let (tell, mut waiting) = watch::channel(0);
        server.behave(move |request| {
            tell.send_replace(request.body["spool"]["row_count"].as_u64().unwrap_or(0));
            Reply::Close
        });
        waiting.wait_for(|&rows| rows > 0).await.expect("heartbeats come");
        let before = server.store().rows.len();
        waiting.wait_for(|&rows| rows >= INTERVALS).await.expect("heartbeats come");
        assert_eq!(server.store().rows.len(), before, "nothing came meanwhile");
        server.behave(|_| Reply::Take);
        server.has_rows(before + usize::try_from(INTERVALS).expect("small")).await;
        tokio::time::sleep(FAST.interval * 5).await;
    })
    .await;
    let store = server.store();
    let times = store.keys_of("metrics");
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times.len(), store.rows.len());
    let most_waiting =
        store.heartbeats.iter().filter_map(|beat| beat["spool"]["row_count"].as_u64()).max().expect("some");
    assert!(most_waiting >= INTERVALS, "the server was told how many wait: {most_waiting}");
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
    assert_eq!(counts(folder.path()).settled, store.rows.len() as u64);
}

#[tokio::test]
async fn rows_beyond_the_bound_go_the_oldest_first_and_the_server_is_told_how_many() {
    const ROWS: u64 = 3_000;
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let bounds = SpoolBounds::of(1 << 20);
    let mut spool = Spool::open(&folder.path().join("spool"), bounds).expect("opened");
    for number in 0..ROWS {
        let timestamp = Timestamp::from_seconds(1_700_000_000 + i64::try_from(number).expect("small"));
        let json = format!("{{\"timestamp\":\"{timestamp}\",\"padding\":\"{}\"}}", "x".repeat(700));
        spool.append(&Row { kind: RowKind::Metric, timestamp, json: json.into_bytes() }).expect("kept");
    }
    let dropped = spool.counts().dropped;
    assert!((1_000..ROWS - 1_000).contains(&dropped), "{dropped}");
    drop(spool);
    let mut agent = agent(&server, SILENT);
    agent.settings.spool.max_bytes = bounds.max_bytes;
    run(agent, folder.path(), server.has_rows(usize::try_from(ROWS - dropped).expect("small"))).await;
    let store = server.store();
    let first = Timestamp::from_seconds(1_700_000_000 + i64::try_from(dropped).expect("small"));
    let last = Timestamp::from_seconds(1_700_000_000 + i64::try_from(ROWS).expect("small") - 1);
    let times = store.keys_of("metrics");
    assert_eq!((times.len() as u64, times[0]), (ROWS - dropped, &*first.to_string()));
    assert_eq!(times.last(), Some(&&*last.to_string()));
    assert_eq!(store.heartbeats[0]["spool"]["dropped_row_count"], dropped);
    assert_eq!(store.heartbeats[0]["spool"]["row_count"], ROWS - dropped);
}
