//! The shared back end: the conformance suite, and what only several processes on one database can show.

use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_auth::{Operator, Scope};
use astranetmon_domain::{AgentId, MetricSample, Plan, Timestamp};
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::testing::{FreshDatabase, OwnCluster, Sealing, TestPostgres};
use astranetmon_storage::{AccountRepository, Maintenance, MetricRepository, Storage, StorageError};
use tokio_postgres::{Client, NoTls};

mod expiry;
mod unpacked;

async fn fresh() -> (Arc<dyn Storage>, FreshDatabase) {
    fresh_that_seals(Sealing::ByJob).await
}

async fn fresh_that_seals(sealing: Sealing) -> (Arc<dyn Storage>, FreshDatabase) {
    let database = TestPostgres::fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    PostgresStorage::migrate(&settings).await.expect("migrated");
    (Arc::new(PostgresStorage::connect(&settings).await.expect("connected").sealing(sealing)), database)
}

astranetmon_storage::conformance_tests!(crate::fresh);

mod sealed_at_once {
    async fn fresh() -> (super::Arc<dyn super::Storage>, super::FreshDatabase) {
        super::fresh_that_seals(super::Sealing::AtOnce).await
    }

    astranetmon_storage::record_conformance_tests!(crate::sealed_at_once::fresh);
}

mod sealed_sometimes {
    async fn fresh() -> (super::Arc<dyn super::Storage>, super::FreshDatabase) {
        super::fresh_that_seals(super::Sealing::sometimes(1)).await
    }

    astranetmon_storage::record_conformance_tests!(crate::sealed_sometimes::fresh);
}

const OPERATOR: Operator = Operator::new("test");

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_processes_migrate_at_once_and_one_does_the_work() {
    let database = TestPostgres::fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    let unmigrated = PostgresStorage::connect(&settings).await.err().expect("refused");
    assert!(matches!(&unmigrated, StorageError::Unusable { reason } if reason.contains("migrate")), "{unmigrated:?}");
    let migrating: Vec<_> = (0..5)
        .map(|_| {
            let settings = settings.clone();
            tokio::spawn(async move { PostgresStorage::migrate(&settings).await.expect("migrated") })
        })
        .collect();
    let mut names = Vec::new();
    for migrating in migrating {
        names.extend(migrating.await.expect("no panic"));
    }
    assert_eq!(
        names,
        [
            "2026-11-23-120000_foundation",
            "2026-11-25-060000_packed_metrics",
            "2026-11-25-070000_sessions",
            "2026-11-25-080000_alerts",
            "2026-11-25-090000_fleet",
            "2026-11-25-100000_enrolment",
            "2026-11-25-110000_retention",
            "2026-11-25-120000_sealed_chunks",
            "2026-11-30-100000_arrival_order",
            "2026-11-30-120000_hours_of_chunks"
        ]
    );
    PostgresStorage::connect(&settings).await.expect("connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_a_column_a_field_are_packed_by_the_migration() {
    let database = TestPostgres::fresh_database().await;
    let client = client(database.url()).await;
    client
        .batch_execute(include_str!("../migrations/postgres/2026-11-23-120000_foundation/up.sql"))
        .await
        .expect("old");
    client.batch_execute(unpacked::STATEMENTS).await.expect("rows");
    let partition = format!(
        "CREATE TABLE metric_y2026m11 PARTITION OF metric FOR VALUES FROM ({}) TO ({}); {}",
        1_793_491_200_000_000_i64,
        1_796_083_200_000_000_i64,
        unpacked::ROWS
    );
    client.batch_execute(&partition).await.expect("rows");
    let settings = PostgresSettings::new(database.url());
    assert_eq!(
        PostgresStorage::migrate(&settings).await.expect("migrated"),
        [
            "2026-11-25-060000_packed_metrics",
            "2026-11-25-070000_sessions",
            "2026-11-25-080000_alerts",
            "2026-11-25-090000_fleet",
            "2026-11-25-100000_enrolment",
            "2026-11-25-110000_retention",
            "2026-11-25-120000_sealed_chunks",
            "2026-11-30-100000_arrival_order",
            "2026-11-30-120000_hours_of_chunks"
        ]
    );
    let storage: Arc<dyn Storage> = Arc::new(PostgresStorage::connect(&settings).await.expect("connected"));
    unpacked::check(storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_newer_than_the_program_is_refused() {
    let (_, database) = fresh().await;
    let client = client(database.url()).await;
    let statement = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')";
    client.execute(statement, &[]).await.expect("inserted");
    let settings = PostgresSettings::new(database.url());
    for error in [
        PostgresStorage::connect(&settings).await.err().expect("refused"),
        PostgresStorage::migrate(&settings).await.expect_err("refused"),
    ] {
        assert!(matches!(&error, StorageError::Unusable { reason } if reason.contains("newer")), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_are_in_commit_order_over_several_processes() {
    let (storage, database) = fresh().await;
    let name = "owner".parse().expect("a name");
    let owner =
        storage.account_create(&OPERATOR, &name, Plan::Starter, Timestamp::from_seconds(0)).await.expect("made");
    let settings = PostgresSettings::new(database.url());
    let mut writers = Vec::new();
    for writer in 0..4 {
        let storage = PostgresStorage::connect(&settings).await.expect("connected");
        writers.push(tokio::spawn(async move {
            let agent = AgentId::parse(&format!("agent-{writer}")).expect("an id");
            for batch in 0..20_i64 {
                let sample = |n| MetricSample::new(agent.clone(), Timestamp::from_seconds(batch * 10 + n));
                let samples = (0..10).map(sample).collect();
                let scope = Scope::system(owner.id, "test");
                storage.metric_append(&scope, samples, Timestamp::from_seconds(batch)).await.expect("appended");
            }
        }));
    }
    // Whoever has read up to a sequence never finds an older one later.
    let client = client(database.url()).await;
    let (mut seen, mut highest) = (0, 0);
    while seen < 800 {
        let statement = "SELECT COUNT(*), MAX(sequence), COUNT(*) FILTER (WHERE sequence <= $1) FROM metric_sample";
        let row = client.query_one(statement, &[&highest]).await.expect("counted");
        assert_eq!(row.get::<_, i64>(2), seen, "a row appeared behind {highest}");
        (seen, highest) = (row.get(0), row.get::<_, Option<i64>>(1).unwrap_or(0));
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_database_is_unavailable_at_once_and_used_within_a_second() {
    let mut cluster = OwnCluster::start();
    let database = cluster.fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    PostgresStorage::migrate(&settings).await.expect("migrated");
    let storage = PostgresStorage::connect(&settings).await.expect("connected");
    for _ in 0..3 {
        storage.ping().await.expect("alive");
        cluster.stop();
        for call in 0..20 {
            let begun = Instant::now();
            let error = storage.account_list(&OPERATOR).await.expect_err("stopped");
            assert!(error.is_retryable(), "{call}: {error:?}");
            assert!(begun.elapsed() < Duration::from_millis(300), "{call}: {:?}", begun.elapsed());
        }
        cluster.start_again();
        recovers(&storage).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_database_is_unavailable_within_two_seconds_and_used_within_a_second_of_its_return() {
    let mut cluster = OwnCluster::start();
    let database = cluster.fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    PostgresStorage::migrate(&settings).await.expect("migrated");
    let storage = PostgresStorage::connect(&settings).await.expect("connected");
    storage.ping().await.expect("alive");
    cluster.freeze();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move {
                let begun = Instant::now();
                let error = storage.account_list(&OPERATOR).await.expect_err("frozen");
                assert!(error.is_retryable(), "{error:?}");
                begun.elapsed()
            })
        })
        .collect();
    for call in calls {
        let took = call.await.expect("no panic");
        assert!(took < Duration::from_millis(2_100), "{took:?}");
    }
    let begun = Instant::now();
    storage.account_list(&OPERATOR).await.expect_err("frozen");
    assert!(begun.elapsed() < Duration::from_millis(1_100), "{:?}", begun.elapsed());
    cluster.thaw();
    recovers(&storage).await;
    for _ in 0..100 {
        storage.ping().await.expect("nothing is wedged");
    }
}

async fn recovers(storage: &PostgresStorage) {
    let begun = Instant::now();
    while let Err(error) = storage.ping().await {
        assert!(error.is_retryable(), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "no recovery: {error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_leaves_nothing_behind() {
    let (storage, database) = fresh().await;
    let name = "owner".parse().expect("a name");
    let owner =
        storage.account_create(&OPERATOR, &name, Plan::Starter, Timestamp::from_seconds(0)).await.expect("made");
    let agent = AgentId::parse("agent").expect("an id");
    for n in 0..60_i64 {
        let samples = (0..50).map(|s| MetricSample::new(agent.clone(), Timestamp::from_seconds(n * 100 + s))).collect();
        let scope = Scope::system(owner.id, "test");
        let append = storage.metric_append(&scope, samples, Timestamp::from_seconds(0));
        let _ = tokio::time::timeout(Duration::from_micros(200 * n as u64), append).await;
    }
    let scope = Scope::system(owner.id, "test");
    let sample = MetricSample::new(agent, Timestamp::from_seconds(1_000_000));
    let begun = Instant::now();
    while storage.metric_append(&scope, vec![sample.clone()], Timestamp::from_seconds(0)).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(2), "an abandoned transaction holds the account");
    }
    let client = client(database.url()).await;
    let row = client
        .query_one(
            "SELECT COUNT(*), (SELECT count FROM record_count WHERE period = 0 AND agent_id = '') FROM metric_sample",
            &[],
        )
        .await;
    let row = row.expect("counted");
    assert_eq!(row.get::<_, i64>(0), row.get::<_, i64>(1), "counts and rows agree");
    assert_eq!(row.get::<_, i64>(0) % 50, 1, "no batch is stored in part");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tls_is_believed_as_far_as_the_url_says() {
    let certificate =
        |name: &str| format!("{}/../../bins/astranetmon/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
    let cluster = OwnCluster::start_with_tls(&certificate("first.crt"), &certificate("first.key"));
    for (sslmode, root, accepted) in [
        ("verify-full", "first.crt", true),
        ("verify-full", "second.crt", false),
        ("require", "", true),
        ("disable", "", false),
    ] {
        let root = if root.is_empty() { String::new() } else { format!("&sslrootcert={}", certificate(root)) };
        let settings = PostgresSettings::new(format!("{}?sslmode={sslmode}{root}", cluster.url()));
        let migrated = PostgresStorage::migrate(&settings).await;
        assert_eq!(migrated.is_ok(), accepted, "{sslmode}{root}: {migrated:?}");
        if accepted {
            let storage = PostgresStorage::connect(&settings).await.expect("connected");
            storage.ping().await.expect("answered");
        }
    }
    let elsewhere = cluster.url().replace("localhost", "127.0.0.1");
    let settings =
        PostgresSettings::new(format!("{elsewhere}?sslmode=verify-full&sslrootcert={}", certificate("first.crt")));
    assert!(PostgresStorage::migrate(&settings).await.is_err(), "the certificate is for another name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_partition_of_expired_samples_is_dropped_and_made_again_when_it_is_needed() {
    let (storage, database) = fresh().await;
    let client = client(database.url()).await;
    let samples = 40_000;
    let owner = expiry::full_account(&storage, 8, samples / 8).await;
    let partitions = async || {
        let statement = "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'metric_sample_y%' AND relkind = 'r'";
        client.query_one(statement, &[]).await.expect("counted").get::<_, i64>(0)
    };
    assert!(partitions().await > 0);
    let (gone, longest) = expiry::expire(&storage).await;
    eprintln!("{gone:?}, longest step {longest:?}");
    assert_eq!((gone.samples_folded, gone.days > 0), (samples.unsigned_abs(), true));
    assert!(gone.partitions > 0, "{gone:?}");
    assert_eq!(partitions().await, 0);
    // Another account may keep more, and this process has seen the partition.
    let name = "another".parse().expect("a name");
    let another = storage.account_create(&OPERATOR, &name, Plan::Enterprise, expiry::NOW).await.expect("made");
    let sample = MetricSample::new(AgentId::parse("a").expect("an id"), expiry::NOW.plus_seconds(-41 * 86_400));
    let append = async || {
        let scope = Scope::system(another.id, "test");
        storage.metric_append(&scope, vec![sample.clone()], expiry::NOW).await
    };
    let refused = append().await.expect_err("the partition is gone");
    assert!(refused.is_retryable(), "{refused:?}");
    assert_eq!(append().await.expect("appended").inserted, 1);
    assert_ne!(owner.id, another.id);
}
