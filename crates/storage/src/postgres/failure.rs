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

/// What PostgreSQL says, in its source's English, when it has no time, no room or no wish to go on. The driver keeps
/// the SQLSTATE to itself.
const TEMPORARY: [&str; 12] = [
    "canceling statement due to",
    "canceling authentication due to",
    "terminating connection",
    "terminating background worker",
    "the database system is",
    "sorry, too many clients",
    "remaining connection slots",
    "too many connections",
    "deadlock detected",
    "could not extend file",
    "could not write",
    "out of shared memory",
];

impl Failure {
    /// Whether the database is away or overloaded.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
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

    /// Whether the database refused a duplicate.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
    }

    /// As callers are told.
    pub(super) fn into_error(self, context: &'static str, connection_lost: bool) -> StorageError {
        let temporary = connection_lost || self.is_temporary();
        match self {
            Self::Decided(error) => error,
            Self::Database(error) if temporary => StorageError::Unavailable { context, source: Some(Box::new(error)) },
            Self::Database(error) => StorageError::Internal { context, source: Some(Box::new(error)) },
        }
    }
}
