//! The shared back end: the conformance suite, and what only several processes on one database can show.

use std::sync::Arc;

use astranetmon_storage::Storage;
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::testing::{FreshDatabase, TestPostgres};

async fn fresh() -> (Arc<dyn Storage>, FreshDatabase) {
    let database = TestPostgres::fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    PostgresStorage::migrate(&settings).await.expect("migrated");
    (Arc::new(PostgresStorage::connect(&settings).await.expect("connected")), database)
}

astranetmon_storage::conformance_tests!(crate::fresh);
