use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use astranetmon_auth::Operator;
use astranetmon_http::{ApiError, is_private};
use serde::Deserialize;

use crate::DashboardState;
use crate::page::{Page, render};

const OVERVIEW: &str = "/dashboard";
const SET_UP: &str = "/dashboard/set-up";

#[derive(Deserialize)]
struct SignInQuery {
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "settings/sign_in.html")]
struct SignInPage {
    page: Page,
    next: String,
    /// Whether a password can be sent without others reading it.
    is_private: bool,
}

/// Whether the request came in a way in which passwords are taken.
pub(super) fn came_privately(state: &DashboardState, request: &HttpRequest) -> bool {
    let settings = state.api.settings();
    let peer = request.peer_addr().map(|peer| peer.ip());
    is_private(settings.tls, peer, request.headers(), &settings.trusted_proxies)
}

/// The sign-in page; before there is anybody who could, it leads to the set-up. Signing in itself is
/// `POST /auth/v1/session`.
#[get("")]
pub(crate) async fn page(
    query: web::Query<SignInQuery>,
    state: web::Data<DashboardState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if state.api.storage().setup_is_open(&Operator::new("show the sign-in page")).await? {
        return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, SET_UP)).finish());
    }
    let next = query.into_inner().next.unwrap_or_default();
    let is_private = came_privately(&state, &request);
    render(&SignInPage { page: Page::open(), next: own_page(&next).to_owned(), is_private })
}

/// `next` if it is a page of the dashboard, else the overview: a link to the sign-in page must not lead elsewhere.
fn own_page(next: &str) -> &str {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let is_below = path == OVERVIEW || path.strip_prefix(OVERVIEW).is_some_and(|rest| rest.starts_with('/'));
    // Browsers resolve `..` and its encoded forms, take `\` for `/`, and drop control characters.
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.split('/').all(|part| !matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."));
    let is_entrance = ["/dashboard/sign-in", SET_UP].contains(&path);
    if is_below && is_plain && !is_entrance { next } else { OVERVIEW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_dashboard_come_next() {
        for own in [
            "/dashboard",
            "/dashboard?sort=cpu",
            "/dashboard/agents/agent-123?range=7d&from=%2Fx",
            "/dashboard/settings/alerts#keys",
            "/dashboard/a..b",
        ] {
            assert_eq!(own_page(own), own);
        }
        for elsewhere in [
            "",
            "/",
            "//evil.example.com",
            "https://evil.example.com/dashboard",
            "/dashboardx",
            "/dashboard.evil.example.com",
            "javascript:alert(1)",
            "/\\evil.example.com",
            "/dashboard/\\evil.example.com",
            "/dashboard/../api/v1/docs/",
            "/dashboard/%2e%2E/api",
            "/dashboard/.%2e/api",
            "/dashboard/\t/x",
            "/dashboard/ x",
            "/dashboard/sign-in?next=/dashboard",
            "/dashboard/set-up",
            "dashboard",
        ] {
            assert_eq!(own_page(elsewhere), OVERVIEW, "{elsewhere}");
        }
    }
}
