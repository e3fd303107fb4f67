use astranetmon_domain::Retention;

/// What can go wrong in storage. `Display` is fit for a log; callers of the API are told nothing of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The database is away or busy beyond its deadline: try again later.
    #[error("storage is unavailable: {context}")]
    Unavailable {
        /// What was being done.
        context: &'static str,
        /// Why it failed, if somebody said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The database has no room on its disk: nothing was written, and reads go on. Writes succeed again once there is
    /// room.
    #[error("the database is full: {context}")]
    Full {
        /// What was being done.
        context: &'static str,
        /// What the database said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The thing is there already: a name, an e-mail address.
    #[error("{what} exists already")]
    Exists {
        /// The kind of thing.
        what: &'static str,
    },
    /// The account has as many as it may have.
    #[error("at most {most} {what}")]
    TooMany {
        /// The kind of thing.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// An admin would make, change or unmake an owner.
    #[error("owners are made and changed by owners only")]
    OwnersOnly,
    /// The account would be left without an owner who can sign in.
    #[error("an account keeps one owner who can sign in")]
    LastOwner,
    /// Percentiles were asked of more values than are put in order at once.
    #[error("percentiles of more than {most} values")]
    TooManyValues {
        /// The bound.
        most: usize,
    },
    /// The account would keep more than its plan does.
    #[error("the plan keeps samples, hourly and daily summaries for {most} days")]
    BeyondPlan {
        /// What the plan keeps.
        most: Retention,
    },
    /// The account or agent that the call is about is not there.
    #[error("no such {what}")]
    Missing {
        /// The kind of thing.
        what: &'static str,
    },
    /// The job that writes no longer holds its lease: another holder may be at work.
    #[error("the lease {name} has gone to another holder")]
    LeaseLost {
        /// Of the lease.
        name: &'static str,
    },
    /// The database cannot be used as it is: too old a library, another schema, a locked folder.
    #[error("the database cannot be used: {reason}")]
    Unusable {
        /// What is wrong and what to do.
        reason: String,
    },
    /// A copy, a backup or a restore is refused, or did not come out equal.
    #[error("{reason}")]
    CannotCopy {
        /// What is in its way and what to do.
        reason: String,
    },
    /// The storage does not keep this at all: see [`WithoutAdministration`](crate::WithoutAdministration).
    #[error("this storage keeps no {what}")]
    Unsupported {
        /// What it does not keep.
        what: &'static str,
    },
    /// A bug, or a row that this program never wrote.
    #[error("storage failed: {context}")]
    Internal {
        /// What was being done.
        context: &'static str,
        /// Why it failed.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl StorageError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}

impl From<diesel::result::Error> for StorageError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind, Error};
        // SQLite has no kinds of its own for a lock that did not come and a disk that is full.
        let says = |signs: &[&str]| match &error {
            Error::DatabaseError(_, information) => signs.iter().any(|sign| information.message().contains(sign)),
            _ => false,
        };
        let full = says(&["database or disk is full"]);
        let away = says(&["locked", "disk I/O"])
            || matches!(
                error,
                Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) | Error::BrokenTransactionManager
            );
        let source: Option<Box<dyn std::error::Error + Send + Sync>> = Some(Box::new(error));
        match (full, away) {
            (true, _) => Self::Full { context: "a query", source },
            (false, true) => Self::Unavailable { context: "a query", source },
            (false, false) => Self::Internal { context: "a query", source },
        }
    }
}
