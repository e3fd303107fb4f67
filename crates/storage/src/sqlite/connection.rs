//! Opening the file: settings that every connection has, and the checks before the first one.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::StorageError;
use crate::migrations::{UNFINISHED_COPY, refuse_newer, refuse_older, refuse_unfinished};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Before it, two connections that write and checkpoint at once can corrupt a WAL.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How long a connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

fn cannot(context: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    StorageError::Unavailable { context, source: Some(Box::new(source)) }
}

/// Opens a connection to an existing file.
pub(super) fn open(path: &Path, access: Access) -> Result<SqliteConnection, StorageError> {
    let mut connection = establish(path)?;
    let pragmas = format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; \
         PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
         PRAGMA journal_size_limit = 67108864; PRAGMA query_only = {};",
        BUSY_TIMEOUT.as_millis(),
        if access == Access::Read { "ON" } else { "OFF" },
    );
    connection.batch_execute(&pragmas).map_err(|error| cannot("preparing the database file", error))?;
    Ok(connection)
}

/// Opens a connection that reads an existing file and leaves it as it is, whatever journal it has.
pub(super) fn open_unchanged(path: &Path) -> Result<SqliteConnection, StorageError> {
    let mut connection = establish(path)?;
    let pragmas = format!(
        "PRAGMA busy_timeout = {}; PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;",
        BUSY_TIMEOUT.as_millis()
    );
    connection.batch_execute(&pragmas).map_err(|error| cannot("reading the database file", error))?;
    Ok(connection)
}

/// Refuses a file that is not there, which opening would make.
pub(super) fn must_exist(path: &Path) -> Result<(), StorageError> {
    if path.exists() {
        return Ok(());
    }
    let reason = format!("{} does not exist: run `astranetmon migrate`", path.display());
    Err(StorageError::Unusable { reason })
}

/// Has a new file give the space of deleted rows back in steps. Only takes effect before the first table and before the
/// file has a write-ahead log, and needs the write lock, which is why opening does not do it.
pub(super) fn give_space_back(path: &Path) -> Result<(), StorageError> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let mut connection = establish(path)?;
    let pragmas = format!("PRAGMA busy_timeout = {}; PRAGMA auto_vacuum = INCREMENTAL;", BUSY_TIMEOUT.as_millis());
    connection.batch_execute(&pragmas).map_err(|error| cannot("preparing the database file", error))
}

fn establish(path: &Path) -> Result<SqliteConnection, StorageError> {
    let Some(text) = path.to_str() else {
        return Err(StorageError::Unusable { reason: "its path is not UTF-8".to_owned() });
    };
    SqliteConnection::establish(text).map_err(|error| cannot("opening the database file", error))
}

/// Makes the file with rights for its owner only, if it is not there.
pub(super) fn create_file(path: &Path) -> Result<(), StorageError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| cannot("making the database's folder", error))?;
    }
    open_private(path).map(drop).map_err(|error| cannot("making the database file", error))
}

fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes the lock that one serving process holds on the database, on a file beside it.
pub(super) fn lock_for_service(path: &Path) -> Result<File, StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = open_private(Path::new(&name)).map_err(|error| cannot("making the lock file", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StorageError::Unusable { reason: format!("another process is serving {}", path.display()) })
        }
        Err(TryLockError::Error(error)) => Err(cannot("locking the database", error)),
    }
}

/// Refuses a library that is known to corrupt.
pub(super) fn check_version(connection: &mut SqliteConnection) -> Result<(), StorageError> {
    let version: String = diesel::select(diesel::dsl::sql::<Text>("sqlite_version()")).get_result(connection)?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        let reason = format!("SQLite {version} can corrupt a write-ahead log: at least 3.51.3 is needed");
        return Err(StorageError::Unusable { reason });
    }
    Ok(())
}

fn migration_error(error: Box<dyn std::error::Error + Send + Sync>) -> StorageError {
    StorageError::Internal { context: "migrating", source: Some(error) }
}

fn embedded() -> Result<BTreeSet<String>, StorageError> {
    use diesel::migration::MigrationSource;
    let migrations = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS).map_err(migration_error)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn applied(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, StorageError> {
    let versions = connection.applied_migrations().map_err(migration_error)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

/// Refuses a schema that is not the one this program was built for.
pub(super) fn check_schema(connection: &mut SqliteConnection) -> Result<(), StorageError> {
    let (applied, embedded) = (applied(connection)?, embedded()?);
    refuse_newer(&applied, &embedded)?;
    refuse_older(&applied, &embedded)?;
    refuse_unfinished(unfinished_copy(connection)?.as_deref())
}

/// Refuses a file that a newer program has migrated.
pub(super) fn refuse_newer_schema(connection: &mut SqliteConnection) -> Result<(), StorageError> {
    refuse_newer(&applied(connection)?, &embedded()?)
}

/// The mark of a copy into this file that was begun and not finished.
pub(super) fn unfinished_copy(connection: &mut SqliteConnection) -> Result<Option<String>, StorageError> {
    let there = format!("EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '{UNFINISHED_COPY}')");
    if !diesel::select(diesel::dsl::sql::<Bool>(&there)).get_result(connection)? {
        return Ok(None);
    }
    let mark = format!("(SELECT source FROM {UNFINISHED_COPY})");
    Ok(Some(diesel::select(diesel::dsl::sql::<Text>(&mark)).get_result(connection)?))
}

/// Runs what is missing, under the exclusive lock of the file; the names of what ran. Refused while another process
/// serves the file, which would find its tables changed.
pub(super) fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, StorageError> {
    connection.exclusive_transaction(|connection| {
        refuse_newer(&applied(connection)?, &embedded()?)?;
        let pending = connection.pending_migrations(MIGRATIONS).map_err(migration_error)?;
        let _service = if pending.is_empty() { None } else { Some(lock_for_service(path)?) };
        let names = pending.iter().map(|migration| migration.name().to_string()).collect();
        connection.run_migrations(&pending).map_err(migration_error)?;
        Ok(names)
    })
}
