//! Whole files: backups, and what is put in place of an empty database.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::SqliteConnection;

use super::catalog;
use crate::StorageError;
use crate::copy::catalog::quoted;
use crate::migrations::refuse_unfinished;
use crate::sqlite::connection::{self, Access};
use crate::sqlite::{SqliteSettings, SqliteStorage};

type Result<T> = std::result::Result<T, StorageError>;

/// What SQLite and this program keep beside a file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
const LOCK_FILE: &str = ".lock";

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    finding: String,
}

fn refused(reason: String) -> StorageError {
    StorageError::CannotCopy { reason }
}

/// Writes what the file holds at one moment into a new one for its owner only. Others may go on reading and writing.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    connection::must_exist(from)?;
    let mut connection = connection::open_unchanged(from)?;
    connection::check_version(&mut connection)?;
    refuse_unfinished(connection::unfinished_copy(&mut connection)?.as_deref())?;
    connection::create_file(to)?;
    let Some(to) = to.to_str() else { return Err(refused("the new file's path is not UTF-8".to_owned())) };
    connection.batch_execute("PRAGMA query_only = OFF")?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to).execute(&mut connection)?;
    Ok(())
}

/// Makes of a copy that nobody has open a file that stands alone and holds no leases, and checks it.
pub(crate) fn complete(path: &Path) -> Result<()> {
    let mut connection = connection::open(path, Access::Write)?;
    let leases = "EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'lease')";
    if diesel::select(diesel::dsl::sql::<Bool>(leases)).get_result(&mut connection)? {
        connection.batch_execute("DELETE FROM lease")?;
    }
    connection.batch_execute("PRAGMA journal_mode = DELETE")?;
    check_integrity(&mut connection, path)?;
    drop(connection);
    remove_companions(path, &[&COMPANIONS[..], &[LOCK_FILE]].concat())
}

/// Brings the schema of a copy up to date; the names of the migrations that ran.
pub(crate) fn migrate_file(path: &Path) -> Result<Vec<String>> {
    SqliteStorage::migrate(&SqliteSettings::new(path))
}

/// Refuses what is no whole backup that this program could restore; whether its schema is older than this program's.
pub(crate) fn check_backup(path: &Path) -> Result<bool> {
    if !path.is_file() {
        return Err(refused(format!("there is no backup {}", path.display())));
    }
    let foreign = |error: &dyn std::fmt::Display| refused(format!("{} is no backup: {error}", path.display()));
    let mut connection = connection::open_unchanged(path)?;
    connection::check_version(&mut connection).map_err(|error| foreign(&error))?;
    let looked = diesel::sql_query("SELECT name AS finding FROM sqlite_schema").load::<Finding>(&mut connection);
    let names = looked.map_err(|error| foreign(&error))?;
    if !["account", "__diesel_schema_migrations"].iter().all(|name| names.iter().any(|found| found.finding == *name)) {
        return Err(foreign(&"it does not hold the tables of this service"));
    }
    check_integrity(&mut connection, path)?;
    connection::refuse_newer_schema(&mut connection)?;
    refuse_unfinished(connection::unfinished_copy(&mut connection)?.as_deref())?;
    Ok(connection::check_schema(&mut connection).is_err())
}

/// The lock on a database that is not there or holds nothing, so that another may be put in its place.
pub(crate) fn hold_empty(path: &Path) -> Result<File> {
    connection::create_file(path)?;
    let service = connection::lock_for_service(path)?;
    let mut connection = connection::open_unchanged(path)?;
    refuse_unfinished(connection::unfinished_copy(&mut connection)?.as_deref())?;
    for name in catalog::read(&mut connection)?.into_keys() {
        let rows = format!("EXISTS (SELECT 1 FROM {})", quoted(&name));
        if diesel::select(diesel::dsl::sql::<Bool>(&rows)).get_result(&mut connection)? {
            let path = path.display();
            return Err(refused(format!(
                "{path} is not empty: its table {name} has rows; a backup is restored into a new database"
            )));
        }
    }
    Ok(service)
}

/// Removes a file and what is beside it, if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    remove_companions(path, &[&COMPANIONS[..], &[LOCK_FILE, ""]].concat())
}

/// Removes the log of an empty database that another will take the place of.
pub(crate) fn remove_log(path: &Path) -> Result<()> {
    remove_companions(path, &COMPANIONS)
}

fn remove_companions(path: &Path, endings: &[&str]) -> Result<()> {
    for ending in endings {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StorageError::Unavailable { context: "removing a file", source: Some(Box::new(error)) });
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_integrity(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let broken = |finding: &str| refused(format!("{} is damaged: {finding}", path.display()));
    let findings = diesel::sql_query("SELECT integrity_check AS finding FROM pragma_integrity_check")
        .load::<Finding>(connection)
        .map_err(|error| broken(&error.to_string()))?;
    if let Some(found) = findings.iter().find(|found| found.finding != "ok") {
        return Err(broken(&found.finding));
    }
    let orphans = diesel::sql_query("SELECT DISTINCT \"table\" AS finding FROM pragma_foreign_key_check");
    match orphans.load::<Finding>(connection)?.first() {
        None => Ok(()),
        Some(found) => Err(broken(&format!("rows of {} refer to what is not there", found.finding))),
    }
}
