use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use crate::state::ApiState;

/// Headers of answers that pages may read besides the few that they always may.
const EXPOSED: &str = "Link, ETag, X-Request-Id, Retry-After, RateLimit-Policy, RateLimit, X-RateLimit-Limit, \
                       X-RateLimit-Remaining, X-RateLimit-Reset, WWW-Authenticate, Content-Disposition";
/// Headers that pages may send besides the few that they always may.
const SENT: &str = "Authorization, If-None-Match, X-Request-Id";
/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "600";

/// Lets pages of the origins that the operator names read the API. They send a key in `Authorization`; cookies are never
/// among what they may send, so that no page of another origin acts as the person who is signed in.
pub(crate) async fn cors(
    state: web::Data<ApiState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let allowed = &state.settings.cors_origins;
    if allowed.is_empty() {
        return next.call(request).await;
    }
    let origin = request.headers().get(header::ORIGIN);
    let answer = origin.and_then(|origin| allowed.iter().find_map(|one| one.answer(origin))).cloned();
    let asks_first =
        *request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let response = match &answer {
        Some(_) if asks_first => Ok(request.into_response(preflight())),
        _ => next.call(request).await,
    };
    match response {
        Ok(mut response) => {
            mark(response.headers_mut(), answer.as_ref());
            Ok(response)
        }
        Err(mut error) => {
            error.add_response_mapper(move |mut response| {
                mark(response.headers_mut(), answer.as_ref());
                response
            });
            Err(error)
        }
    }
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .finish()
}

/// Errors too: a page is to see what was wrong.
fn mark(headers: &mut HeaderMap, answer: Option<&HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(answer) = answer {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, answer.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}
