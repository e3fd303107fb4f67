//! What both back ends' migration runners share. The migrations themselves come in pairs of equal names.

use std::collections::BTreeSet;

use crate::StorageError;

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
