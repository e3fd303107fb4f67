//! Which storage stands behind the settings.

use std::path::PathBuf;
use std::sync::Arc;

use astranetmon_storage::Storage;
use astranetmon_storage::copy::Endpoint;
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};

use crate::Failure;
use crate::configuration::{Database, DatabaseUrl, Settings};

/// What the process does with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Answers callers and counts their requests. One process at a time on an embedded database.
    Serve,
    /// Manages it, perhaps while another process serves.
    Manage,
}

/// Opens the database of the settings, whose schema is current.
///
/// # Errors
/// A database that is away, cannot be used, or whose schema is not this program's.
pub async fn open(settings: &Settings, purpose: Purpose) -> Result<Arc<dyn Storage>, Failure> {
    Ok(match settings.database_url.database() {
        Database::Sqlite(path) => Arc::new(SqliteStorage::open(&sqlite(settings, path, purpose))?),
        Database::Postgres(url) => Arc::new(PostgresStorage::connect(&postgres(settings, url)).await?),
    })
}

/// Brings the schema up to date, making an embedded database if there is none; the names of what was applied.
///
/// # Errors
/// A database that is away or whose schema is newer than this program.
pub async fn migrate(settings: &Settings) -> Result<Vec<String>, Failure> {
    Ok(match settings.database_url.database() {
        Database::Sqlite(path) => SqliteStorage::migrate(&sqlite(settings, path, Purpose::Manage))?,
        Database::Postgres(url) => PostgresStorage::migrate(&postgres(settings, url)).await?,
    })
}

/// A database that is copied from or to, reached as the settings say.
#[must_use]
pub fn copy_endpoint(settings: &Settings, url: &DatabaseUrl) -> Endpoint {
    match url.database() {
        Database::Sqlite(path) => Endpoint::Sqlite(path),
        Database::Postgres(url) => Endpoint::Postgres(postgres(settings, url)),
    }
}

fn sqlite(settings: &Settings, path: PathBuf, purpose: Purpose) -> SqliteSettings {
    let readers = settings.sqlite.reader_threads.get();
    SqliteSettings { path, readers, serves: purpose == Purpose::Serve }
}

fn postgres(settings: &Settings, url: &str) -> PostgresSettings {
    let tuning = &settings.postgres;
    let mut postgres = PostgresSettings::new(url);
    postgres.read_connections = tuning.read_connections.get();
    postgres.write_connections = tuning.write_connections.get();
    postgres.gate_connections = tuning.gate_connections.get();
    postgres.call_deadline = tuning.call_deadline.0;
    postgres.append_deadline = tuning.append_deadline.0;
    postgres.connection_wait = tuning.connection_wait.0;
    postgres
}
