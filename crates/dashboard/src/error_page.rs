//! Errors as pages, for people.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use astranetmon_http::{ApiError, SignedIn};

use crate::page::{Page, Section, render_as};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    title: &'static str,
    message: String,
    href: &'static str,
    link: &'static str,
}

/// A failure as a page, with the failure's own status, and the navigation for those who are signed in.
pub(crate) fn failure(error: &ApiError, signed_in: Option<&SignedIn>) -> HttpResponse {
    let status = error.status_code();
    let (title, message) = told(error, status);
    let (href, link) = match error {
        ApiError::NotSignedIn | ApiError::Unauthorized { .. } => ("/dashboard/sign-in", "Sign in"),
        _ => ("/dashboard", "Go to the overview"),
    };
    let page = signed_in.map_or_else(Page::open, |signed_in| Page::of(signed_in, Section::Nowhere));
    let page = ErrorPage { page, status: status.as_u16(), title, message, href, link };
    render_as(status, &page).unwrap_or_else(|error| error.error_response())
}

/// What happened and what to do, in a person's words.
fn told(error: &ApiError, status: StatusCode) -> (&'static str, String) {
    let (title, message) = match status {
        StatusCode::UNAUTHORIZED => ("Please sign in", "Your session has ended. Sign in to go on where you were."),
        StatusCode::FORBIDDEN if matches!(error, ApiError::Forbidden { .. }) => (
            "Not allowed",
            "Your role does not include this. An owner or admin of the account can do it, or change your role.",
        ),
        StatusCode::NOT_FOUND => {
            ("Not found", "There is nothing at this address. It may have been removed, or the address was mistyped.")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            ("Too many requests", "The dashboard was asked too often. Wait a moment, then reload the page.")
        }
        StatusCode::SERVICE_UNAVAILABLE => (
            "Out of service for a moment",
            "The server is busy or cannot reach its database. What is stored is safe: reload the page in a moment.",
        ),
        status if status.is_client_error() => return ("That did not work", error.message()),
        _ => (
            "Something went wrong",
            "This is a fault of the server, not yours. If it happens again, tell its operator the X-Request-Id of \
             this answer.",
        ),
    };
    (title, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_status_and_words() {
        let bad_request = || ApiError::BadRequest("A range is <1h>".to_owned());
        for (error, status, title) in [
            (ApiError::NotFound, 404, "Not found"),
            (ApiError::Refused("Refused: another site asked"), 403, "That did not work"),
            (bad_request(), 400, "That did not work"),
            (ApiError::Internal, 500, "Something went wrong"),
            (ApiError::Unavailable, 503, "Out of service for a moment"),
            (ApiError::NotSignedIn, 401, "Please sign in"),
        ] {
            assert_eq!(failure(&error, None).status(), status, "{title}");
            assert_eq!(told(&error, error.status_code()).0, title);
        }
        assert_eq!(told(&bad_request(), StatusCode::BAD_REQUEST).1, "A range is <1h>");
    }
}
