use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header;
use actix_web::{HttpResponse, get, guard, web};
use astranetmon_alerts::Deliverer;
use astranetmon_http::{ApiError, ApiState, Pages, open_scope, signed_in_scope};

use crate::error_page::failure;
use crate::settings::ChannelTests;
use crate::{agent, assets, overview, settings, speedtests, traceroutes};

/// What the pages of one process share.
pub struct DashboardState {
    /// The API's own state: storage, clock, sessions, limits.
    pub api: web::Data<ApiState>,
    /// Sends test messages of alerts; none where alerts are switched off.
    pub deliverer: Option<Arc<dyn Deliverer>>,
    pub(crate) channel_tests: ChannelTests,
}

impl DashboardState {
    /// Over the API's state.
    #[must_use]
    pub fn new(api: web::Data<ApiState>, deliverer: Option<Arc<dyn Deliverer>>) -> Self {
        Self { api, deliverer, channel_tests: ChannelTests::default() }
    }
}

/// Mounts the dashboard under `/dashboard`, and a redirect to it at `/`.
pub fn dashboard(state: web::Data<DashboardState>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |services| {
        services.service(at_root(&state)).service(under_dashboard(&state));
    }
}

const PAGES: Pages = Pages { sign_in: "/dashboard/sign-in", failure };

/// A scope of `/` alone, so that the redirect has the headers and the line in the log that every answer has.
fn at_root(state: &web::Data<DashboardState>) -> impl HttpServiceFactory + 'static {
    let only_root = guard::fn_guard(|context| context.head().uri.path() == "/");
    open_scope(state.api.clone(), PAGES, web::scope("").guard(only_root).service(root))
}

fn under_dashboard(state: &web::Data<DashboardState>) -> impl HttpServiceFactory + 'static {
    let api = &state.api;
    web::scope("/dashboard")
        .app_data(state.clone())
        .service(open_scope(api.clone(), PAGES, web::scope("/assets").configure(assets::configure)))
        .service(open_scope(api.clone(), PAGES, web::scope("/sign-in").configure(settings::configure_sign_in)))
        .service(open_scope(api.clone(), PAGES, web::scope("/set-up").configure(settings::configure_set_up)))
        .service(signed_in_scope(api.clone(), PAGES, web::scope("").configure(pages)))
}

/// What needs a session.
fn pages(services: &mut web::ServiceConfig) {
    services
        .service(root)
        .configure(overview::configure)
        .configure(agent::configure)
        .configure(speedtests::configure)
        .configure(traceroutes::configure)
        .configure(settings::configure)
        .default_service(web::to(not_found));
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}

/// Also under `/dashboard`, for those who end the address with a slash.
#[get("/")]
async fn root() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/dashboard")).finish()
}
