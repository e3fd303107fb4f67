//! Which storage stands behind the settings.

use std::sync::Arc;

use astranetmon_storage::Storage;

use crate::Failure;
use crate::configuration::{Database, Settings};

/// Opens the database of the settings, whose schema is current.
///
/// # Errors
/// A database that is away, cannot be used, or whose schema is not this program's.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Storage>, Failure> {
    match settings.database_url.database() {
        Database::Sqlite(path) if !path.exists() => Err(Failure::failed(format!(
            "there is no database at {}: astranetmon migrate makes one, and so does astranetmon serve",
            path.display()
        ))),
        Database::Sqlite(_) => Err(Failure::failed("SQLite is not part of this build")),
        Database::Postgres(_) => Err(Failure::failed("PostgreSQL is not part of this build")),
    }
}

/// Brings the schema up to date, making an embedded database if there is none; the names of what was applied.
///
/// # Errors
/// A database that is away or whose schema is newer than this program.
pub async fn migrate(settings: &Settings) -> Result<Vec<String>, Failure> {
    match settings.database_url.database() {
        Database::Sqlite(_) => Err(Failure::failed("SQLite is not part of this build")),
        Database::Postgres(_) => Err(Failure::failed("PostgreSQL is not part of this build")),
    }
}
