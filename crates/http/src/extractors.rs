use actix_web::error::{JsonPayloadError, UrlencodedError};
use actix_web::{Error, web};

use crate::ApiError;
use crate::error::JSON_BODY;

/// Bytes of a JSON or form body.
const MAX_BODY: usize = 64 * 1_024;
const FORM_BODY: &str = "a form of at most 64 KiB";

/// Makes what actix's own extractors refuse an error of the contract. [`crate::api`] does this for its scope; other
/// scopes of the service call it themselves.
pub fn api_app_defaults(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(MAX_BODY).error_handler(|error, _| json_refusal(&error).into()))
        .app_data(web::FormConfig::default().limit(MAX_BODY).error_handler(|error, _| form_refusal(&error).into()))
        .app_data(web::PayloadConfig::new(MAX_BODY))
        .app_data(web::QueryConfig::default().error_handler(|_, _| query_refusal()))
        // A path that names nothing of the right form names nothing that is there.
        .app_data(web::PathConfig::default().error_handler(|_, _| ApiError::NotFound.into()));
}

fn query_refusal() -> Error {
    ApiError::BadRequest(
        "Malformed query string: send name=value pairs joined by &, such as ?agent_id=agent-123&limit=100".to_owned(),
    )
    .into()
}

fn json_refusal(error: &JsonPayloadError) -> ApiError {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            ApiError::PayloadTooLarge(JSON_BODY)
        }
        JsonPayloadError::ContentType => ApiError::UnsupportedMediaType(JSON_BODY),
        _ => ApiError::BadRequest("Malformed body: send JSON, such as {\"name\": \"value\"}".to_owned()),
    }
}

fn form_refusal(error: &UrlencodedError) -> ApiError {
    match error {
        UrlencodedError::Overflow { .. } => ApiError::PayloadTooLarge(FORM_BODY),
        UrlencodedError::ContentType => ApiError::UnsupportedMediaType(FORM_BODY),
        _ => ApiError::BadRequest("Malformed body: send name=value pairs joined by &".to_owned()),
    }
}
