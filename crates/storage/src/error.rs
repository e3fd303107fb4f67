/// What can go wrong in storage. `Display` is fit for a log; callers of the API are told nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database is away, busy beyond its deadline, or full: try again later.
    #[error("storage is unavailable: {context}")]
    Unavailable {
        /// What was being done.
        context: &'static str,
        /// Why it failed, if somebody said.
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
    /// The account or agent that the call is about is not there.
    #[error("no such {what}")]
    Missing {
        /// The kind of thing.
        what: &'static str,
    },
    /// The database cannot be used as it is: too old a library, another schema, a locked folder.
    #[error("the database cannot be used: {reason}")]
    Unusable {
        /// What is wrong and what to do.
        reason: String,
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
        matches!(self, Self::Unavailable { .. })
    }
}
