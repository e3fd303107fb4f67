use actix_web::dev::ServiceRequest;
use actix_web::http::header;

use crate::ApiError;

/// Bytes of path and query.
const MAX_TARGET: usize = 8_192;
/// Bytes of a body that nobody reads. A body in chunks has no length: it is left unread, and with it the connection.
const MAX_BODY: u64 = 64 * 1_024;

/// Refuses what no endpoint takes; `accepted` says what the paths here do take.
pub(crate) fn check(request: &ServiceRequest, accepted: &'static str) -> Result<(), ApiError> {
    check_target(request)?;
    let headers = request.headers();
    // Bodies are not decompressed here: nothing bounds what comes out.
    if headers.get_all(header::CONTENT_ENCODING).any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::UnsupportedMediaType(accepted));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BODY) {
        return Err(ApiError::PayloadTooLarge(accepted));
    }
    Ok(())
}

/// Refuses a target that is too long.
pub(crate) fn check_target(request: &ServiceRequest) -> Result<(), ApiError> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET { Err(ApiError::UriTooLong) } else { Ok(()) }
}
