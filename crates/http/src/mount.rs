use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Scope, web};

use crate::ApiError;
use crate::endpoints;
use crate::extractors::api_app_defaults;
use crate::middleware::{authenticate, compressed, cors, edge, head};
use crate::state::ApiState;

/// The whole API under `/api`, to be mounted in any actix application:
/// `App::new().service(astranetmon_http::api(state))`.
///
/// The application's own middleware sees answers to panics as `Err`; everything else is an ordinary answer.
#[must_use]
pub fn api(state: web::Data<ApiState>) -> impl HttpServiceFactory + 'static {
    api_with(state, endpoints::configure)
}

pub(crate) fn api_with(
    state: web::Data<ApiState>,
    configure: impl FnOnce(&mut web::ServiceConfig),
) -> impl HttpServiceFactory + 'static {
    let v1 = web::scope("/v1").configure(configure).default_service(web::to(not_found));
    authorized_scope(state, web::scope("/api").service(v1).default_service(web::to(not_found)))
}

/// Somebody else's handlers behind the door of the API: its keys and sessions, limits, headers and form of errors.
/// A handler takes [`Authorized`](crate::Authorized); a request is counted against the key's plan, whatever comes of it,
/// and its body has at most 64 KiB. The path is any, but for `/api`.
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use astranetmon_auth::ReadAgents;
/// use astranetmon_http::{ApiError, ApiState, Authorized, authorized_scope};
///
/// async fn count(state: web::Data<ApiState>, caller: Authorized<ReadAgents>) -> Result<HttpResponse, ApiError> {
///     let page = state.storage().agent_page(caller.scope(), None, Some(1)).await?;
///     Ok(HttpResponse::Ok().json(page.total))
/// }
///
/// # fn app(state: web::Data<ApiState>) {
/// App::new().service(authorized_scope(state, web::scope("/reports").service(web::resource("/count").get(count))));
/// # }
/// ```
#[must_use]
pub fn authorized_scope(state: web::Data<ApiState>, scope: Scope) -> impl HttpServiceFactory + 'static {
    let (at_edge, at_gate, at_door) = (state.clone(), state.clone(), state.clone());
    scope
        .app_data(state)
        .configure(api_app_defaults)
        .wrap(from_fn(move |request, next| authenticate(at_door.clone(), request, next)))
        .wrap(from_fn(compressed))
        .wrap(from_fn(head))
        .wrap(from_fn(move |request, next| cors(at_gate.clone(), request, next)))
        .wrap(from_fn(move |request, next| edge(at_edge.clone(), request, next)))
}

/// Answers every path that nothing else has, in the contract's form. For applications that serve nothing but this
/// crate; to be mounted last.
#[must_use]
pub fn anything_else(state: web::Data<ApiState>) -> impl HttpServiceFactory + 'static {
    // A scope has no pattern of its own: to the log these requests are unmatched.
    web::scope("")
        .default_service(web::to(not_found))
        .wrap(from_fn(move |request, next| edge(state.clone(), request, next)))
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}
