//! A database as one SQLite file, whatever kind it is.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::{CopiedTable, Endpoint, Watch, transfer};
use crate::StorageError;
use crate::postgres::copying::PostgresSide;
use crate::sqlite::copying::{SqliteSide, complete, copy_file, remove_file};

/// Writes what the database holds at one moment into a new file, whose owner alone may read it, while the database may
/// be served. The file has its name once it is complete, checked and on the disk. From a server, the tables that were
/// compared; an embedded database is copied by SQLite itself, so there are none.
///
/// # Errors
/// [`StorageError::CannotCopy`] if the file is there already, or does not come out equal; as [`copy`](super::copy)
/// otherwise.
pub async fn backup(from: &Endpoint, file: &Path, watch: Watch<'_>) -> Result<Vec<CopiedTable>, StorageError> {
    if file.exists() {
        let reason = format!("{} exists already: a backup is written to a new file", file.display());
        return Err(StorageError::CannotCopy { reason });
    }
    let unfinished = beside(file, ".unfinished");
    remove_file(&unfinished)?;
    let copied = match from {
        Endpoint::Sqlite(path) => {
            let (path, unfinished) = (path.clone(), unfinished.clone());
            on_a_thread(move || copy_file(&path, &unfinished)).await?;
            Vec::new()
        }
        Endpoint::Postgres(settings) => {
            let mut source = PostgresSide::source(settings).await?;
            let mut target = SqliteSide::target(&unfinished)?;
            transfer(&mut source, &mut target, watch).await?
        }
    };
    if let Some(table) = copied.iter().find(|table| !table.is_equal()) {
        let reason = format!("the backup's table {} is not equal to the database's", table.name);
        return Err(StorageError::CannotCopy { reason });
    }
    let (from, to) = (unfinished, file.to_owned());
    on_a_thread(move || {
        complete(&from)?;
        put_in_place(&from, &to)
    })
    .await?;
    Ok(copied)
}

/// The path with something behind its last name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Gives a complete file its name, which is durable when this returns.
pub(super) fn put_in_place(from: &Path, to: &Path) -> Result<(), StorageError> {
    let placed = || {
        File::open(from)?.sync_all()?;
        std::fs::rename(from, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    };
    placed().map_err(|error: std::io::Error| StorageError::Unavailable {
        context: "putting the file in place",
        source: Some(Box::new(error)),
    })
}

pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let lost = |error| StorageError::Internal { context: "a thread of the copy", source: Some(Box::new(error)) };
    tokio::task::spawn_blocking(work).await.map_err(|error| lost(Box::new(error)))?
}
