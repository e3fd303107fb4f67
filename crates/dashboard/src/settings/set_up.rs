use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use astranetmon_auth::{Operator, Password};
use astranetmon_http::ApiError;

use super::sign_in::came_privately;
use crate::DashboardState;
use crate::page::{Page, render, render_as};

#[derive(Template)]
#[template(path = "settings/set_up.html")]
struct SetUpPage {
    page: Page,
    shortest: usize,
    longest: usize,
    /// Whether a password can be sent without others reading it.
    is_private: bool,
}

#[derive(Template)]
#[template(path = "settings/set_up_done.html")]
struct SetUpDonePage {
    page: Page,
}

/// The page that makes the first owner; gone once there is one. The set-up itself is `POST /auth/v1/setup`.
#[get("")]
pub(crate) async fn page(state: web::Data<DashboardState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let page = Page::open();
    if state.api.storage().setup_is_open(&Operator::new("show the set-up page")).await? {
        let is_private = came_privately(&state, &request);
        render(&SetUpPage { page, is_private, shortest: Password::SHORTEST, longest: Password::LONGEST })
    } else {
        render_as(StatusCode::GONE, &SetUpDonePage { page })
    }
}
