use std::error::Error;
use std::process::ExitCode;

/// Why a command did not succeed: one sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The work failed: exit code 1.
    #[error("{0}")]
    Failed(String),
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

    /// 1 or 2.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

/// The error and its causes in one line; a cause that only repeats the end of what precedes it is left out.
pub(crate) fn with_causes(error: &dyn Error) -> String {
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
