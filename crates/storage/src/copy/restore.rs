//! A backup as a database again.

use std::path::Path;

use super::backup::{beside, on_a_thread, put_in_place};
use super::{CopiedTable, Endpoint, Watch, refuse_itself, transfer};
use crate::StorageError;
use crate::postgres::copying::PostgresSide;
use crate::sqlite::copying::{
    SqliteSide, check_backup, complete, copy_file, hold_empty, migrate_file, remove_file, remove_log,
};

/// Puts what a backup holds into a database that is empty or not there yet, with this program's schema. An embedded
/// database is there at once and whole; a server's gets its tables one after the other, and a restore that was killed
/// goes on when it is run again. From a server, the tables that were compared; an embedded database is copied by SQLite
/// itself, so there are none.
///
/// # Errors
/// [`StorageError::CannotCopy`] if the file is no backup, is damaged, or the database is not empty;
/// [`StorageError::Unusable`] if the backup is of a newer program, or the database is served.
pub async fn restore(file: &Path, to: &Endpoint, watch: Watch<'_>) -> Result<Vec<CopiedTable>, StorageError> {
    refuse_itself(&Endpoint::Sqlite(file.to_owned()), to)?;
    let checked = file.to_owned();
    let is_older = on_a_thread(move || check_backup(&checked)).await?;
    match to {
        Endpoint::Sqlite(path) => {
            let (file, path) = (file.to_owned(), path.clone());
            on_a_thread(move || replace_empty(&file, &path)).await?;
            Ok(Vec::new())
        }
        Endpoint::Postgres(settings) => {
            let current = beside(file, ".restoring");
            let source = if is_older {
                let (file, to) = (file.to_owned(), current.clone());
                on_a_thread(move || newer_copy(&file, &to)).await?;
                current.as_path()
            } else {
                file
            };
            let mut source = SqliteSide::source(source, false)?;
            let mut target = PostgresSide::target(settings).await?;
            let copied = transfer(&mut source, &mut target, watch).await?;
            drop(source);
            if is_older {
                remove_file(&current)?;
            }
            Ok(copied)
        }
    }
}

fn newer_copy(file: &Path, to: &Path) -> Result<(), StorageError> {
    remove_file(to)?;
    copy_file(file, to)?;
    migrate_file(to)?;
    complete(to)
}

fn replace_empty(file: &Path, path: &Path) -> Result<(), StorageError> {
    let service = hold_empty(path)?;
    let unfinished = beside(path, ".unfinished");
    newer_copy(file, &unfinished)?;
    remove_log(path)?;
    put_in_place(&unfinished, path)?;
    drop(service);
    Ok(())
}
