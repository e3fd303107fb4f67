use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use serde_json::json;

use crate::ApiError;

/// What Prometheus calls a failure.
const fn error_type(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "unauthorized",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::UNPROCESSABLE_ENTITY => "execution",
        StatusCode::INTERNAL_SERVER_ERROR => "internal",
        _ => "bad_data",
    }
}

/// Errors as Prometheus writes them, which have the contract's `error` too.
pub(super) async fn error_form(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let response = next.call(request).await?;
    let own = response.response().error().and_then(|error| error.as_error::<ApiError>()).cloned();
    let Some(error) = own else { return Ok(response) };
    Ok(response.map_body(|head, _| {
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = json!({ "status": "error", "errorType": error_type(head.status), "error": error.message() });
        BoxBody::new(body.to_string())
    }))
}
