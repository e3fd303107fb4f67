use std::error::Error;
use std::process::ExitCode;

use astranetmon_storage::StorageError;

/// Why a command did not succeed: one sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The work failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// A server refuses the key: exit code 3.
    #[error("{0}")]
    Denied(String),
    /// A server asks to try again later: exit code 4.
    #[error("{0}")]
    TryLater(String),
}

impl Failure {
    /// Wrong command line or configuration.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    /// Work that failed.
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed(sentence.into())
    }

    /// Work that failed, with every cause behind it.
    pub fn caused(what: &str, error: &dyn Error) -> Self {
        Self::Failed(format!("{what}: {}", with_causes(error)))
    }

    /// 1 to 4.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
            Self::Denied(_) => ExitCode::from(3),
            Self::TryLater(_) => ExitCode::from(4),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Failed(with_causes(&error))
    }
}

/// The error and its causes in one line; a cause that only repeats the end of what precedes it is left out.
fn with_causes(error: &dyn Error) -> String {
    let mut sentence = error.to_string().replace('\n', " ");
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string().replace('\n', " ");
        if !sentence.ends_with(&text) {
            sentence.push_str(": ");
            sentence.push_str(&text);
        }
        next = cause.source();
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_causes() {
        let source = std::io::Error::other("no route\nto host");
        let error = StorageError::Unavailable { context: "connect", source: Some(Box::new(source)) };
        assert_eq!(Failure::from(error), Failure::failed("storage is unavailable: connect: no route to host"));
        let error = StorageError::Exists { what: "account" };
        assert_eq!(Failure::from(error).to_string(), "account exists already");
    }
}
