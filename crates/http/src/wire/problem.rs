use serde::Serialize;
use utoipa::ToSchema;

/// Why a request failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// One sentence: what was wrong, the accepted form, an example.
    #[schema(example = "Insufficient permissions: requires read:metrics")]
    pub(crate) error: String,
}

/// Why a request failed, as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The kind of problem.
    #[schema(example = "about:blank")]
    pub(crate) r#type: String,
    /// What the status code means.
    #[schema(example = "Forbidden")]
    pub(crate) title: String,
    /// The status code.
    #[schema(minimum = 400, maximum = 599, example = 403)]
    pub(crate) status: u16,
    /// One sentence: what was wrong, the accepted form, an example.
    #[schema(example = "Insufficient permissions: requires read:metrics")]
    pub(crate) detail: String,
    /// The same sentence, as errors that are no `Problem` have it.
    #[schema(example = "Insufficient permissions: requires read:metrics")]
    pub(crate) error: String,
}
