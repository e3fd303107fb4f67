//! What both back ends' migration runners share. The migrations themselves come in pairs of equal names.

use std::collections::BTreeSet;

use crate::StorageError;

/// The table that marks a database into which a copy was begun: it has one row, the fingerprint of the source.
pub(crate) const UNFINISHED_COPY: &str = "unfinished_copy";

/// Refuses a database that holds a part of a copy only.
pub(crate) fn refuse_unfinished(mark: Option<&str>) -> Result<(), StorageError> {
    if mark.is_none() {
        return Ok(());
    }
    let reason = "a copy into it was begun and not finished: run the same `astranetmon copy` or `astranetmon restore` \
                  again, which goes on with it, or begin anew with an empty database";
    Err(StorageError::Unusable { reason: reason.to_owned() })
}

/// Refuses a database that a newer program has migrated.
pub(crate) fn refuse_newer(applied: &BTreeSet<String>, embedded: &BTreeSet<String>) -> Result<(), StorageError> {
    match applied.difference(embedded).next() {
        None => Ok(()),
        Some(version) => Err(StorageError::Unusable {
            reason: format!("its schema {version} is newer than this program: use the program that migrated it"),
        }),
    }
}

/// Refuses a database that still lacks a migration.
pub(crate) fn refuse_older(applied: &BTreeSet<String>, embedded: &BTreeSet<String>) -> Result<(), StorageError> {
    match embedded.difference(applied).next() {
        None => Ok(()),
        Some(version) => Err(StorageError::Unusable {
            reason: format!("its schema lacks the migration {version}: run `astranetmon migrate`"),
        }),
    }
}
