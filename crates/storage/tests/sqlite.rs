//! The embedded back end: the conformance suite.

use std::sync::Arc;

use astranetmon_storage::Storage;
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn Storage>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SqliteSettings::new(folder.path().join("astranetmon.sqlite"));
    SqliteStorage::migrate(&settings).expect("migrated");
    (Arc::new(SqliteStorage::open(&settings).expect("open")), folder)
}

astranetmon_storage::conformance_tests!(crate::fresh);
