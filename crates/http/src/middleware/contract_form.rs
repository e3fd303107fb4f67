use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{Error, HttpResponse};

use crate::ApiError;

const PROBLEM_JSON: &str = "application/problem+json";

/// Whether the caller's `Accept` names RFC 9457.
pub(crate) fn wants_problem(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(PROBLEM_JSON));
            named && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        },
    )
}

/// Every error in the contract's form: those that actix made become [`ApiError`]s, and all of them RFC 9457 for
/// callers who asked for it.
pub(crate) fn contract_form(response: HttpResponse, wants_problem: bool) -> HttpResponse {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let own = response.error().and_then(|error| error.as_error::<ApiError>());
    match own {
        Some(_) if !wants_problem => response,
        Some(error) => {
            let body = error.problem_body();
            as_problem(response, body)
        }
        None => {
            let without_body = matches!(response.body().size(), BodySize::None | BodySize::Sized(0));
            if response.error().is_none() && !without_body {
                return response;
            }
            let allow =
                response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or("GET, HEAD");
            let error = ApiError::from_status(status, allow);
            let body = error.problem_body();
            let response = HttpResponse::from_error(error);
            if wants_problem { as_problem(response, body) } else { response }
        }
    }
}

/// The same for an error that no answer has been made of; what inner layers add to its answer stays.
pub(crate) fn error_in_contract_form(error: Error, wants_problem: bool) -> HttpResponse {
    match error.as_error::<ApiError>() {
        Some(own) if wants_problem => as_problem(error.error_response(), own.problem_body()),
        Some(_) => error.error_response(),
        None => contract_form(HttpResponse::from_error(error), wants_problem),
    }
}

fn as_problem(response: HttpResponse, body: Vec<u8>) -> HttpResponse {
    let (mut head, _) = response.into_parts();
    head.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    head.set_body(body).map_into_boxed_body()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9457_is_for_those_who_name_it() {
        let wants = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("header value"));
            wants_problem(&headers)
        };
        for accept in [
            "application/problem+json",
            "application/json, application/problem+json",
            "Application/Problem+JSON;q=0.5",
            "text/html,application/problem+json ; q=0.1,*/*",
        ] {
            assert!(wants(accept), "{accept}");
        }
        for accept in ["*/*", "application/json", "application/problem+xml", "application/problem+json;q=0", ""] {
            assert!(!wants(accept), "{accept}");
        }
    }
}
