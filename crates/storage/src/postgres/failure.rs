use diesel::result::{DatabaseErrorKind, Error};

use crate::StorageError;

/// Why a piece of work on a connection failed, before it is told to callers.
#[derive(Debug)]
pub(super) enum Failure {
    /// Decided by the work itself.
    Decided(StorageError),
    /// Said by the database or by the way to it.
    Database(Error),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Decided(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// What PostgreSQL says, anywhere in its message, when a disk is full (SQLSTATE 53100).
const FULL: [&str; 3] = ["No space left on device", "Disk quota exceeded", "could not extend file"];

/// What PostgreSQL says, in its source's English, when it has no time, no room or no wish to go on. The driver keeps
/// the SQLSTATE to itself.
const TEMPORARY: [&str; 11] = [
    "canceling statement due to",
    "canceling authentication due to",
    "terminating connection",
    "terminating background worker",
    "the database system is",
    "sorry, too many clients",
    "remaining connection slots",
    "too many connections",
    "deadlock detected",
    "could not write",
    "out of shared memory",
];

/// What PostgreSQL says of a row of a month whose partition was dropped.
const NO_PARTITION: &str = "no partition of relation";

impl Failure {
    /// Whether the database is away or overloaded.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            // The next call makes it anew.
            _ if self.lacks_partition() => true,
            Self::Decided(error) => error.is_retryable(),
            Self::Database(Error::DatabaseError(kind, said)) => match kind {
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ReadOnlyTransaction => true,
                DatabaseErrorKind::Unknown => TEMPORARY.iter().any(|text| said.message().starts_with(text)),
                _ => false,
            },
            Self::Database(Error::BrokenTransactionManager) => true,
            Self::Database(_) => false,
        }
    }

    /// Whether the database has no room for it.
    fn is_full(&self) -> bool {
        match self {
            Self::Database(Error::DatabaseError(_, said)) => FULL.iter().any(|text| said.message().contains(text)),
            Self::Database(_) | Self::Decided(_) => false,
        }
    }

    /// Whether there is no partition for a row, though this process has seen one.
    pub(super) fn lacks_partition(&self) -> bool {
        matches!(self, Self::Database(Error::DatabaseError(_, said)) if said.message().starts_with(NO_PARTITION))
    }

    /// Whether the database refused a duplicate.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
    }

    /// As callers are told.
    pub(super) fn into_error(self, context: &'static str, connection_lost: bool) -> StorageError {
        let (full, temporary) = (self.is_full(), connection_lost || self.is_temporary());
        match self {
            Self::Decided(error) => error,
            Self::Database(error) if full => StorageError::Full { context, source: Some(Box::new(error)) },
            Self::Database(error) if temporary => StorageError::Unavailable { context, source: Some(Box::new(error)) },
            Self::Database(error) => StorageError::Internal { context, source: Some(Box::new(error)) },
        }
    }
}
