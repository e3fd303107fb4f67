use std::fmt;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use astranetmon_auth::{Forbidden, LookupError, PasswordQueueError, Permission, RoleTooLow};
use astranetmon_ratelimit::QuotaUnavailable;
use astranetmon_storage::StorageError;
use serde::Serialize;

/// What paths without a body accept.
pub(crate) const NO_BODY: &str = "no body";
/// What paths with a form accept.
pub(crate) const FORM_BODY: &str = "a form of at most 64 KiB, Content-Type: application/x-www-form-urlencoded";
/// What paths with a body accept.
pub(crate) const JSON_BODY: &str = "JSON of at most 64 KiB, Content-Type: application/json";

/// What a caller is told when a request fails. The only place where failures become status codes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApiError {
    /// 400: one sentence that says what was wrong and what is accepted, with an example.
    BadRequest(String),
    /// 401.
    Unauthorized {
        /// Whether a token was sent.
        token_sent: bool,
    },
    /// 401: no agent token, or none that is valid.
    AgentUnauthorized {
        /// Whether a token was sent.
        token_sent: bool,
    },
    /// 401: one text for every reason why an enrolment token is not accepted.
    EnrolmentRefused,
    /// 401: no session, or none any more.
    NotSignedIn,
    /// 401: one text for every reason why somebody cannot sign in.
    WrongPassword,
    /// 403.
    Forbidden {
        /// What the caller lacks.
        missing: Permission,
    },
    /// 403 for what no permission would allow: one sentence that says why.
    Refused(&'static str),
    /// 404.
    NotFound,
    /// 409: there is an agent of the id that was asked for.
    AgentExists,
    /// 410: there are people already.
    SetUpAlready,
    /// 405 with `Allow`.
    MethodNotAllowed {
        /// The methods that the path knows.
        allow: String,
    },
    /// 413 and what the path accepts.
    PayloadTooLarge(&'static str),
    /// 414.
    UriTooLong,
    /// 415 and what the path accepts.
    UnsupportedMediaType(&'static str),
    /// 422: a query that is well-formed and cannot be answered; one sentence that says why.
    NotComputable(String),
    /// 429 with `Retry-After`.
    TooManyRequests {
        /// What there was too much of.
        message: &'static str,
        /// Seconds until the next try.
        retry_after: u32,
    },
    /// 500. The cause is logged where it is made, never told.
    Internal,
    /// 501: the storage of this service does not keep what was asked for.
    NotKept,
    /// 503 with `Retry-After: 1`.
    Unavailable,
    /// 503 with `Retry-After: 30`: other agents are measuring.
    SpeedtestBusy,
    /// 507 with `Retry-After: 60`: the database has no room.
    StorageFull,
}

impl ApiError {
    /// The sentence that the caller reads.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::BadRequest(message) | Self::NotComputable(message) => message.clone(),
            Self::Unauthorized { token_sent: false } => {
                "Authentication required: send an API key as Authorization: Bearer astra_…".to_owned()
            }
            Self::Unauthorized { token_sent: true } => "Invalid or missing API key".to_owned(),
            Self::AgentUnauthorized { token_sent: false } => {
                "Authentication required: send the agent's token as Authorization: Bearer astra_agent_…".to_owned()
            }
            Self::AgentUnauthorized { token_sent: true } => "Invalid or missing agent token".to_owned(),
            Self::EnrolmentRefused => {
                "Invalid enrolment token: it is unknown, used up, expired or revoked; ask an admin for a new one"
                    .to_owned()
            }
            Self::Forbidden { missing } => format!("Insufficient permissions: requires {missing}"),
            Self::NotSignedIn => "Authentication required: sign in to the dashboard".to_owned(),
            Self::WrongPassword => "Invalid email or password".to_owned(),
            Self::Refused(message) => (*message).to_owned(),
            Self::NotFound => "Not found".to_owned(),
            Self::AgentExists => {
                "This agent exists already: send another agent_id, such as web-2, or ask an admin for a token that \
                 enrols this agent again"
                    .to_owned()
            }
            Self::SetUpAlready => "This service is set up already: sign in instead".to_owned(),
            Self::MethodNotAllowed { allow } => format!("Method not allowed: this path accepts {allow}"),
            Self::PayloadTooLarge(accepted) => format!("Request body too large: this path takes {accepted}"),
            Self::UriTooLong => "Request target too long: at most 8192 bytes of path and query".to_owned(),
            Self::UnsupportedMediaType(accepted) => format!("Unsupported media type: this path takes {accepted}"),
            Self::TooManyRequests { message, .. } => (*message).to_owned(),
            Self::Internal => "Internal server error".to_owned(),
            Self::NotKept => "Not available: this service does not keep what was asked for".to_owned(),
            Self::Unavailable => "Service temporarily unavailable: try again in a moment".to_owned(),
            Self::SpeedtestBusy => {
                "Other agents are measuring their speed: wait for the seconds in Retry-After, then try again".to_owned()
            }
            Self::StorageFull => {
                "The database is full: nothing of this request was stored, keep it and send it again later".to_owned()
            }
        }
    }
}

impl ApiError {
    /// What an agent is told that storage takes nothing from.
    pub(crate) fn of_ingestion(error: StorageError) -> Self {
        match error {
            // It was deleted or switched off since its token was looked at.
            StorageError::Missing { .. } => Self::AgentUnauthorized { token_sent: true },
            error => error.into(),
        }
    }

    /// What an error that actix itself made is told as. `allow` is for 405.
    pub(crate) fn from_status(status: StatusCode, allow: &str) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized { token_sent: false },
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed { allow: allow.to_owned() },
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge(NO_BODY),
            StatusCode::URI_TOO_LONG => Self::UriTooLong,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType(NO_BODY),
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => {
                Self::BadRequest("Malformed request: see /api/v1/docs for what this path accepts".to_owned())
            }
            _ => Self::Internal,
        }
    }

    /// The body of RFC 9457, with the contract's `error` beside its own members.
    pub(crate) fn problem_body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Problem<'a> {
            r#type: &'static str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            error: &'a str,
        }
        let (status, message) = (self.status_code(), self.message());
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &message,
            error: &message,
        };
        serde_json::to_vec(&problem).unwrap_or_default()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. }
            | Self::AgentUnauthorized { .. }
            | Self::EnrolmentRefused
            | Self::NotSignedIn
            | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::AgentExists => StatusCode::CONFLICT,
            Self::Forbidden { .. } | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SetUpAlready => StatusCode::GONE,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::PayloadTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotComputable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotKept => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable | Self::SpeedtestBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::NotSignedIn | Self::WrongPassword | Self::EnrolmentRefused => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"astranetmon\""));
            }
            Self::Unauthorized { token_sent } | Self::AgentUnauthorized { token_sent } => {
                let challenge = if *token_sent {
                    "Bearer realm=\"astranetmon\", error=\"invalid_token\""
                } else {
                    "Bearer realm=\"astranetmon\""
                };
                response.insert_header((header::WWW_AUTHENTICATE, challenge));
            }
            Self::Forbidden { missing } => {
                let challenge =
                    format!("Bearer realm=\"astranetmon\", error=\"insufficient_scope\", scope=\"{missing}\"");
                response.insert_header((header::WWW_AUTHENTICATE, challenge));
            }
            Self::MethodNotAllowed { allow } => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::TooManyRequests { retry_after, .. } => {
                response.insert_header((header::RETRY_AFTER, *retry_after));
            }
            Self::Unavailable => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            Self::SpeedtestBusy => {
                response.insert_header((header::RETRY_AFTER, 30));
            }
            Self::StorageFull => {
                response.insert_header((header::RETRY_AFTER, 60));
            }
            _ => {}
        }
        response.json(serde_json::json!({ "error": self.message() }))
    }
}

impl From<Forbidden> for ApiError {
    fn from(forbidden: Forbidden) -> Self {
        Self::Forbidden { missing: forbidden.missing }
    }
}

impl From<RoleTooLow> for ApiError {
    fn from(_: RoleTooLow) -> Self {
        Self::Refused("Refused: an owner or an admin of the account may do this")
    }
}

impl From<PasswordQueueError> for ApiError {
    fn from(error: PasswordQueueError) -> Self {
        match error {
            PasswordQueueError::Busy => Self::Unavailable,
            PasswordQueueError::Hash(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a password cannot be hashed");
                Self::Internal
            }
        }
    }
}

impl From<LookupError> for ApiError {
    fn from(error: LookupError) -> Self {
        Arc::new(error).into()
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        if let StorageError::TooManyValues { most } = error {
            Self::BadRequest(format!(
                "Too many metrics for percentiles: at most {most} are put in order; take a shorter range, fewer agents or \
                 fields, for example fields=cpu_percent"
            ))
        } else if let StorageError::Full { .. } = error {
            tracing::warn!(error = &error as &dyn std::error::Error, "storage is full");
            Self::StorageFull
        } else if let StorageError::Unsupported { .. } = error {
            Self::NotKept
        } else if error.is_retryable() {
            tracing::warn!(error = &error as &dyn std::error::Error, "storage is unavailable");
            Self::Unavailable
        } else {
            tracing::error!(error = &error as &dyn std::error::Error, "storage failed");
            Self::Internal
        }
    }
}

impl From<Arc<LookupError>> for ApiError {
    fn from(error: Arc<LookupError>) -> Self {
        tracing::warn!(error = &*error as &dyn std::error::Error, "a credential cannot be looked up");
        Self::Unavailable
    }
}

impl From<QuotaUnavailable> for ApiError {
    fn from(error: QuotaUnavailable) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "plan windows cannot be reached");
        Self::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_database_is_507_and_says_when_to_come_again() {
        let full = StorageError::Full { context: "a secret path", source: None };
        let answer = ApiError::of_ingestion(full).error_response();
        assert_eq!(answer.status(), StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(answer.headers().get(header::RETRY_AFTER).expect("there"), "60");
    }

    #[test]
    fn an_agent_that_is_gone_is_nobody() {
        let answer = ApiError::of_ingestion(StorageError::Missing { what: "agent" }).error_response();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}
