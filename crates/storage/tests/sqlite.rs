//! The embedded back end: the conformance suite.

use std::sync::Arc;

use astranetmon_storage::Storage;
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::testing::Sealing;
use diesel::connection::SimpleConnection;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use tempfile::TempDir;

mod expiry;
mod full_disk;
mod unpacked;

async fn fresh() -> (Arc<dyn Storage>, TempDir) {
    fresh_that_seals(Sealing::ByJob)
}

fn fresh_that_seals(sealing: Sealing) -> (Arc<dyn Storage>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SqliteSettings::new(folder.path().join("astranetmon.sqlite"));
    SqliteStorage::migrate(&settings).expect("migrated");
    (Arc::new(SqliteStorage::open(&settings).expect("open").sealing(sealing)), folder)
}

astranetmon_storage::conformance_tests!(crate::fresh);

mod sealed_at_once {
    async fn fresh() -> (super::Arc<dyn super::Storage>, super::TempDir) {
        super::fresh_that_seals(super::Sealing::AtOnce)
    }

    astranetmon_storage::record_conformance_tests!(crate::sealed_at_once::fresh);
}

mod sealed_sometimes {
    async fn fresh() -> (super::Arc<dyn super::Storage>, super::TempDir) {
        super::fresh_that_seals(super::Sealing::sometimes(1))
    }

    astranetmon_storage::record_conformance_tests!(crate::sealed_sometimes::fresh);
}

#[tokio::test]
async fn a_file_that_is_served_is_not_migrated() {
    let (storage, folder) = fresh().await;
    let settings = SqliteSettings::new(folder.path().join("astranetmon.sqlite"));
    assert_eq!(SqliteStorage::migrate(&settings).expect("nothing to do"), Vec::<String>::new());
    let mut connection = SqliteConnection::establish(settings.path.to_str().expect("text")).expect("a file");
    connection.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version > '20261124'").expect("older");
    let refused = SqliteStorage::migrate(&settings).expect_err("refused").to_string();
    assert!(refused.contains("another process is serving"), "{refused}");
    storage.close().await;
}

#[tokio::test]
async fn metrics_of_a_column_a_field_are_packed_by_the_migration() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SqliteSettings::new(folder.path().join("astranetmon.sqlite"));
    let mut connection = SqliteConnection::establish(settings.path.to_str().expect("text")).expect("a file");
    for statements in
        [include_str!("../migrations/sqlite/2026-11-23-120000_foundation/up.sql"), unpacked::STATEMENTS, unpacked::ROWS]
    {
        connection.batch_execute(statements).expect("rows");
    }
    drop(connection);
    assert_eq!(
        SqliteStorage::migrate(&settings).expect("migrated"),
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
    unpacked::check(Arc::new(SqliteStorage::open(&settings).expect("open"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_expired_samples_is_given_back_to_the_disk() {
    let (storage, folder) = fresh().await;
    let path = folder.path().join("astranetmon.sqlite");
    let samples = 40_000;
    expiry::full_account(&storage, 8, samples / 8).await;
    let size = || std::fs::metadata(&path).expect("a file").len();
    let (gone, longest) = expiry::expire(&storage).await;
    eprintln!("{gone:?}, longest step {longest:?}");
    assert_eq!((gone.samples_folded, gone.days > 0), (samples.unsigned_abs(), true));
    assert!(gone.bytes_given_back > 8_000_000, "{gone:?}");
    storage.close().await;
    assert!(size() < 2_500_000, "{} bytes", size());
    let mut connection = SqliteConnection::establish(path.to_str().expect("text")).expect("a file");
    let check = diesel::dsl::sql::<diesel::sql_types::Text>("(SELECT * FROM pragma_integrity_check)");
    assert_eq!(diesel::select(check).get_result::<String>(&mut connection).expect("checked"), "ok");
}
