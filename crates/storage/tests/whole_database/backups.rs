//! Backups of databases that are written meanwhile, and what can be restored from them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use astranetmon_auth::{Ingest, Operator, ReadMetrics, Scope};
use astranetmon_domain::{AccountId, AgentId, Limit, MetricSample, PageRequest, Plan, RecordFilter, Timestamp};
use astranetmon_storage::Storage;
use astranetmon_storage::copy::{CopiedTable, Endpoint, backup, restore};
use astranetmon_storage::postgres::PostgresStorage;
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::testing::generate_rows;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::copies::copied;
use crate::databases::{Databases, SEED, open, silent};

const OPERATOR: Operator = Operator::new("test");
/// 2026-11-01T00:00:00Z
const NOVEMBER: i64 = 1_793_491_200;
const WRITERS: i64 = 4;
const BATCH: i64 = 50;

/// Served, with this program's schema.
async fn serve(endpoint: &Endpoint) -> Arc<dyn Storage> {
    match endpoint {
        Endpoint::Sqlite(path) => {
            let settings = SqliteSettings::new(path);
            SqliteStorage::migrate(&settings).expect("migrated");
            Arc::new(SqliteStorage::open(&settings).expect("opened"))
        }
        Endpoint::Postgres(settings) => {
            PostgresStorage::migrate(settings).await.expect("migrated");
            Arc::new(PostgresStorage::connect(settings).await.expect("connected"))
        }
    }
}

fn sample(writer: i64, number: i64) -> MetricSample {
    let agent = AgentId::parse(&format!("agent-{writer}")).expect("an id");
    let at = Timestamp::from_seconds(NOVEMBER + number * 10);
    MetricSample { cpu_percent: Some(number as f64 / 100.0), ..MetricSample::new(agent, at) }
}

/// Appends batches until it is told to stop; how many rows.
async fn append(storage: Arc<dyn Storage>, account: AccountId, writer: i64, stop: Arc<AtomicBool>) -> i64 {
    let scope: Scope<Ingest> = Scope::system(account, "test");
    let mut rows = 0;
    while !stop.load(Ordering::Relaxed) {
        let samples = (rows..rows + BATCH).map(|number| sample(writer, number)).collect();
        storage.metric_append(&scope, samples, Timestamp::from_seconds(NOVEMBER)).await.expect("appended");
        rows += BATCH;
    }
    rows
}

fn number(path: &Path, query: &str) -> i64 {
    diesel::select(diesel::dsl::sql::<BigInt>(&format!("({query})"))).get_result(&mut open(path)).expect("a number")
}

fn text(path: &Path, query: &str) -> String {
    diesel::select(diesel::dsl::sql::<Text>(&format!("({query})"))).get_result(&mut open(path)).expect("a text")
}

/// What a caller is answered: all samples and their number.
async fn answers(endpoint: &Endpoint, account: AccountId) -> (Vec<MetricSample>, u64) {
    let storage = serve(endpoint).await;
    let scope: Scope<ReadMetrics> = Scope::system(account, "test");
    let newest = PageRequest::new(Limit::LARGEST, None);
    let page = storage.metric_page(&scope, &RecordFilter::ALL, &newest).await.expect("a page");
    storage.close().await;
    ((0..page.columns.len()).map(|row| page.columns.sample(row)).collect(), page.total)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_file_that_is_written_holds_a_prefix_of_what_was_written() {
    let databases = Databases::new();
    let source = databases.file("served");
    is_consistent(databases, source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_server_that_is_written_holds_a_prefix_of_what_was_written() {
    let mut databases = Databases::new();
    let source = databases.server().await;
    is_consistent(databases, source).await;
}

async fn is_consistent(mut databases: Databases, source: Endpoint) {
    let storage = serve(&source).await;
    let name = "owner".parse().expect("a name");
    let account = storage.account_create(&OPERATOR, &name, Plan::Enterprise, Timestamp::from_seconds(0)).await;
    let account = account.expect("made").id;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(append(Arc::clone(&storage), account, writer, Arc::clone(&stop))))
        .collect();
    let file = databases.path("backup");
    for attempt in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if attempt > 0 {
            std::fs::remove_file(&file).expect("removed");
        }
        backup(&source, &file, &silent).await.expect("backed up");
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await.expect("no panic");
    }
    storage.close().await;

    assert_eq!(text(&file, "SELECT integrity_check FROM pragma_integrity_check"), "ok");
    let rows = number(&file, "SELECT COUNT(*) FROM metric_sample");
    assert!(0 < rows && rows < written && rows % BATCH == 0, "{rows} of {written}");
    assert_eq!(number(&file, "SELECT count FROM record_count WHERE period = 0 AND agent_id = ''"), rows);
    assert_eq!(number(&file, "SELECT last_sequence FROM account"), rows);
    assert_eq!(number(&file, "SELECT MAX(sequence) FROM metric_sample"), rows);
    assert_eq!(number(&file, "SELECT COUNT(DISTINCT sequence) FROM metric_sample"), rows);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    }
    let beside = databases.names().into_iter().filter(|name| name.starts_with("backup")).collect::<Vec<_>>();
    assert_eq!(beside, ["backup"]);

    // Whatever it is restored into, callers are answered the same.
    let (in_file, on_server) = (databases.file("restored"), databases.server().await);
    for target in [&in_file, &on_server] {
        let tables = restore(&file, target, &silent).await.expect("restored");
        assert!(tables.iter().all(CopiedTable::is_equal), "{tables:?}");
        let refused = restore(&file, target, &silent).await.expect_err("refused").to_string();
        assert!(refused.contains("not empty: its table account has rows"), "{refused}");
    }
    let expected = answers(&in_file, account).await;
    assert_eq!(expected.1, u64::try_from(rows).expect("positive"));
    assert_eq!(answers(&on_server, account).await, expected);
    let mut newest: Vec<_> = expected.0.iter().map(|sample| sample.timestamp).collect();
    newest.dedup();
    assert!(newest.is_sorted_by(|a, b| a > b), "newest first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_every_table_is_restored_equal_and_an_older_one_is_migrated() {
    let mut databases = Databases::new();
    generate_rows(&databases.path("source"), SEED, |_| 50).await;
    let (source, file) = (databases.file("source"), databases.path("backup"));
    open(&databases.path("source"))
        .batch_execute("INSERT INTO lease (name, holder, token, expires_at) VALUES ('n', 'h', 1, 1)")
        .expect("a lease");
    backup(&source, &file, &silent).await.expect("backed up");
    assert_eq!(number(&file, "SELECT COUNT(*) FROM lease"), 0);

    // A migrated database without rows may be replaced.
    let restored = databases.file("restored");
    serve(&restored).await.close().await;
    restore(&file, &restored, &silent).await.expect("restored");
    let server = databases.server().await;
    let tables = copied(&restored, &server).await;
    let again = databases.server().await;
    assert_eq!(copied(&source, &again).await, tables);
    assert_eq!(restore(&file, &databases.server().await, &silent).await.expect("restored"), tables);

    // From before the last migration, whose index is made again.
    let mut connection = open(&file);
    let older = include_str!("../../migrations/sqlite/2026-11-25-090000_fleet/down.sql");
    connection.batch_execute(older).expect("older");
    connection.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '20261125090000'").expect("older");
    drop(connection);
    for target in [databases.file("migrated"), databases.server().await] {
        restore(&file, &target, &silent).await.expect("restored");
        serve(&target).await.close().await;
    }
    let index = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'traceroute_by_route_change'";
    assert_eq!(number(&databases.path("migrated"), index), 1);
    assert!(!databases.names().iter().any(|name| name.contains("restoring") || name.contains("unfinished")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_backup_is_refused_by_name() {
    let mut databases = Databases::new();
    generate_rows(&databases.path("source"), SEED, |_| 200).await;
    let (source, file) = (databases.file("source"), databases.path("backup"));
    backup(&source, &file, &silent).await.expect("backed up");
    let told = backup(&source, &file, &silent).await.expect_err("refused").to_string();
    assert!(told.contains("backup exists already"), "{told}");

    let target = databases.file("target");
    let served = serve(&source).await;
    let told = restore(&file, &source, &silent).await.expect_err("refused").to_string();
    assert!(told.contains("another process is serving"), "{told}");
    served.close().await;

    let broken = databases.path("broken");
    let bytes = std::fs::read(&file).expect("read");
    let mut torn = bytes.clone();
    torn[4_096 * 20..4_096 * 21].fill(0x5A);
    let other = databases.path("other");
    open(&other).batch_execute("CREATE TABLE account (id INTEGER)").expect("a table");
    let newer = databases.path("newer");
    std::fs::write(&newer, &bytes).expect("written");
    open(&newer)
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')")
        .expect("newer");
    for (name, content, sentence) in [
        ("nowhere", None, "there is no backup"),
        ("broken", Some(b"this is no database at all, but some text".repeat(100)), "broken is no backup"),
        ("broken", Some(torn), "broken is damaged"),
        ("broken", Some(bytes[..bytes.len() / 2].to_vec()), "broken"),
        ("other", None, "other is no backup: it does not hold the tables"),
        ("newer", None, "newer than this program"),
    ] {
        if let Some(content) = content {
            std::fs::write(&broken, content).expect("written");
        }
        let told = restore(&databases.path(name), &target, &silent).await.expect_err(sentence).to_string();
        assert!(told.contains(sentence), "{told}");
        assert!(!databases.path("target").exists(), "{sentence}");
    }
    let server = databases.server().await;
    let told = restore(&broken, &server, &silent).await.expect_err("refused").to_string();
    assert!(told.contains("broken"), "{told}");
}
