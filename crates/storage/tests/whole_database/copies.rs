//! Copies between databases of both kinds.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use astranetmon_storage::Maintenance;
use astranetmon_storage::copy::{CopiedTable, Endpoint, Progress, copy};
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::testing::generate_rows;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Double, Nullable, Text};
use tokio::sync::oneshot;

use crate::databases::{Databases, SEED, client, open, silent};

/// Copies and finds both sides equal.
pub(crate) async fn copied(from: &Endpoint, to: &Endpoint) -> Vec<CopiedTable> {
    let tables = copy(from, to, &silent).await.expect("copied");
    for table in &tables {
        assert!(table.is_equal(), "{table:?}");
    }
    tables
}

async fn refused(from: &Endpoint, to: &Endpoint) -> String {
    copy(from, to, &silent).await.expect_err("refused").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_makes_the_round_and_comes_back_equal() {
    let mut databases = Databases::new();
    generate_rows(&databases.path("first"), SEED, |_| 400).await;
    let mut connection = open(&databases.path("first"));
    connection
        .batch_execute(
            "INSERT INTO lease (name, holder, token, expires_at) VALUES ('n', 'h', 1, 1);
             UPDATE sqlite_sequence SET seq = 2000000000 WHERE name = 'session';",
        )
        .expect("written");
    let (first, second) = (databases.file("first"), databases.server().await);
    let (third, fourth, fifth) = (databases.server().await, databases.file("fourth"), databases.file("fifth"));
    let tables = copied(&first, &second).await;
    assert!(tables.iter().all(|table| table.source.rows >= 300), "{tables:?}");
    assert!(!tables.iter().any(|table| table.name == "lease" || table.name.starts_with("__")), "{tables:?}");
    for (from, to) in [(&second, &third), (&third, &fourth), (&fourth, &fifth)] {
        assert_eq!(copied(from, to).await, tables);
    }
    // Asked without the engine: what the first file, a server and the last file hold.
    let events = "SELECT id, value, sentence, resolution, resolved_at FROM alert_event ORDER BY account_id, id";
    let in_file = |path: PathBuf| -> Vec<Event> { diesel::sql_query(events).load(&mut open(&path)).expect("events") };
    let client = client(&databases.servers[1]).await;
    let rows = client.query(events, &[]).await.expect("events");
    let on_server = rows.iter().map(|row| Event {
        id: row.get(0),
        value: row.get(1),
        sentence: row.get(2),
        resolution: row.get(3),
        resolved_at: row.get(4),
    });
    let expected: Vec<_> = in_file(databases.path("first")).iter().map(Event::exactly).collect();
    assert_eq!(on_server.map(|event| event.exactly()).collect::<Vec<_>>(), expected);
    assert_eq!(in_file(databases.path("fifth")).iter().map(Event::exactly).collect::<Vec<_>>(), expected);

    let next = client
        .query_one("SELECT nextval(pg_get_serial_sequence('session', 'id')), (SELECT COUNT(*) FROM lease)", &[])
        .await
        .expect("a number");
    assert_eq!((next.get::<_, i64>(0), next.get::<_, i64>(1)), (2_000_000_001, 0));
    let position: i64 =
        diesel::select(diesel::dsl::sql::<BigInt>("(SELECT seq FROM sqlite_sequence WHERE name = 'session')"))
            .get_result(&mut open(&databases.path("fifth")))
            .expect("a number");
    assert_eq!(position, 2_000_000_000);
    // What was copied can be served.
    SqliteStorage::open(&SqliteSettings::new(databases.path("fifth"))).expect("opened");
    PostgresStorage::connect(&PostgresSettings::new(databases.servers[1].url())).await.expect("connected");
}

#[derive(Debug, QueryableByName)]
struct Event {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Nullable<Double>)]
    value: Option<f64>,
    #[diesel(sql_type = Text)]
    sentence: String,
    #[diesel(sql_type = Nullable<Text>)]
    resolution: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    resolved_at: Option<i64>,
}

impl Event {
    /// With the bits of its value.
    fn exactly(&self) -> (Vec<u8>, Option<u64>, String, Option<String>, Option<i64>) {
        let Self { id, value, sentence, resolution, resolved_at } = self;
        (id.clone(), value.map(f64::to_bits), sentence.clone(), resolution.clone(), *resolved_at)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_ends_early_closes_the_target_and_goes_on() {
    let mut databases = Databases::new();
    let many = |table: &str| if table == "metric_sample" { 60_000 } else { 50 };
    generate_rows(&databases.path("source"), SEED, many).await;
    let source = databases.file("source");
    let file = databases.file("target");
    let server = databases.server().await;
    for target in [&file, &server] {
        let mut attempts = 0;
        loop {
            attempts += 1;
            // What a copy that was stopped had written is told at once when it goes on.
            let batches = AtomicU64::new(0);
            let (stop, stopped) = oneshot::channel();
            let stop = Mutex::new(Some(stop));
            let watch = |progress: Progress<'_>| {
                if let Progress::Written { table: "metric_sample", .. } = progress
                    && batches.fetch_add(1, Ordering::Relaxed) == 2
                    && let Some(stop) = stop.lock().expect("whole").take()
                {
                    let _ = stop.send(());
                }
            };
            tokio::select! {
                biased;
                _ = stopped => {}
                copied = copy(&source, target, &watch) => {
                    assert!(copied.expect("copied").iter().all(CopiedTable::is_equal));
                    break;
                }
            }
            let closed = match target {
                Endpoint::Sqlite(path) => {
                    // A thread may be at its last batch.
                    let settings = SqliteSettings { serves: false, ..SqliteSettings::new(path) };
                    SqliteStorage::open(&settings).err()
                }
                Endpoint::Postgres(settings) => PostgresStorage::connect(settings).await.err(),
            };
            let closed = closed.expect("refused").to_string();
            assert!(closed.contains("begun and not finished"), "{closed}");
            if let Endpoint::Sqlite(path) = target {
                released(path).await;
            }
            assert!(attempts < 20, "no progress");
        }
        assert!(attempts > 2, "{attempts}");
        let again = refused(&source, target).await;
        assert!(again.contains("the target is not empty: its table account has rows"), "{again}");
    }
}

/// Until the threads of a dropped copy have let go of the file.
async fn released(path: &Path) {
    for _ in 0..500 {
        if SqliteStorage::open(&SqliteSettings::new(path)).is_err_and(|error| !error.to_string().contains("serving")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} is still held", path.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_copied_is_refused_by_name() {
    let mut databases = Databases::new();
    generate_rows(&databases.path("source"), SEED, |_| 20).await;
    generate_rows(&databases.path("other"), SEED + 1, |_| 20).await;
    let (source, other, file) = (databases.file("source"), databases.file("other"), databases.file("target"));
    let server = databases.server().await;

    assert!(refused(&source, &source).await.contains("is both the source and the target"));
    assert!(refused(&databases.file("nowhere"), &file).await.contains("nowhere does not exist"));
    assert!(refused(&source, &other).await.contains("the target is not empty"));
    let serving = SqliteStorage::open(&SqliteSettings::new(databases.path("source"))).expect("served");
    assert!(refused(&source, &file).await.contains("another process is serving"));
    serving.close().await;

    let mut connection = open(&databases.path("source"));
    for (statement, sentence) in [
        ("UPDATE audit SET actor = 'a' || char(0) || 'b'", "audit.actor holds text with a NUL"),
        ("UPDATE audit SET actor = CAST(x'61ff' AS TEXT)", "audit.actor holds text that is not UTF-8"),
        ("UPDATE audit SET actor = x'61'", "audit.actor holds bytes, which is not what the column is for"),
        ("UPDATE audit SET actor = 'well'; UPDATE audit SET id = 'x' || id", "audit.id holds text"),
    ] {
        connection.batch_execute(statement).expect(statement);
        let server = databases.server().await;
        let told = refused(&source, &server).await;
        assert!(told.contains(sentence), "{told}");
    }

    // The beginning of another copy.
    assert!(refused(&source, &server).await.contains("audit.id holds text"));
    let told = refused(&other, &server).await;
    assert!(told.contains("a copy that was begun from another source"), "{told}");

    let numbers = databases.server().await;
    copied(&other, &numbers).await;
    let client = client(databases.servers.last().expect("one")).await;
    client.execute("UPDATE alert_event SET value = 'NaN'", &[]).await.expect("updated");
    let told = refused(&numbers, &file).await;
    assert!(told.contains("alert_event.value holds NaN"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_copied_as_it_was_when_the_copy_began() {
    let mut databases = Databases::new();
    generate_rows(&databases.path("source"), SEED, |_| 50).await;
    let server = databases.server().await;
    copied(&databases.file("source"), &server).await;
    let client = client(&databases.servers[0]).await;
    let (sender, begun) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let watch = |progress: Progress<'_>| {
        if let (Progress::Begun { .. }, Some(sender)) = (progress, sender.lock().expect("whole").take()) {
            sender.send(()).expect("received");
        }
    };
    let target = databases.file("target");
    let writing = async {
        begun.await.expect("begun");
        client.execute("DELETE FROM audit", &[]).await.expect("deleted");
    };
    let (tables, ()) = tokio::join!(copy(&server, &target, &watch), writing);
    let tables = tables.expect("copied");
    assert!(tables.iter().all(CopiedTable::is_equal), "{tables:?}");
    assert!(tables.iter().any(|table| table.name == "audit" && table.target.rows == 50), "{tables:?}");
}
