use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use astranetmon_auth::{Operator, Password, SetupToken};
use astranetmon_domain::{AccountName, Plan, UserEmail};
use astranetmon_storage::{FirstOwner, Setup};
use serde::Deserialize;

use super::cookie::{device_cookie_sent, no_session_cookie};
use super::cross_site::{refuse_cross_site_change, refuse_cross_site_read};
use super::door::admit;
use super::sign_in::{SignIn, begin, refuse_plain_http, seeded_by_system, session_json};
use super::{SignedIn, pass_guard};
use crate::ApiError;
use crate::client_address::client_of;
use crate::error::JSON_BODY;
use crate::extractors::api_app_defaults;
use crate::middleware::{edge, request_form};
use crate::state::ApiState;

const SET_UP: Operator = Operator::new("set up");
static CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// `/auth/v1`: the dashboard's sessions as JSON, for its own pages and for programs.
#[must_use]
pub fn auth(state: web::Data<ApiState>) -> impl HttpServiceFactory + 'static {
    let at_edge = state.clone();
    web::scope("/auth/v1")
        .app_data(state)
        .configure(api_app_defaults)
        .service(web::resource("/session").get(session).post(sign_in).delete(sign_out).default_service(web::to(
            async || Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allow: "GET, POST, DELETE".to_owned() }),
        )))
        .service(web::resource("/setup").post(set_up).default_service(web::to(async || {
            Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allow: "POST".to_owned() })
        })))
        .default_service(web::to(async || Err::<HttpResponse, _>(ApiError::NotFound)))
        .wrap(from_fn(async |request, next: actix_web::middleware::Next<_>| {
            match request_form::check(&request, JSON_BODY) {
                Ok(()) => next.call(request).await,
                Err(refusal) => Ok(request.error_response(refusal)),
            }
        }))
        .wrap(from_fn(move |request, next| edge(at_edge.clone(), request, next)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: String,
}

async fn sign_in(
    state: web::Data<ApiState>,
    request: HttpRequest,
    credentials: web::Json<Credentials>,
) -> Result<HttpResponse, ApiError> {
    refuse_cross_site_change(request.headers(), state.settings.public_url.as_deref())?;
    refuse_plain_http(&state, &request)?;
    let Credentials { email, password } = credentials.into_inner();
    let device = device_cookie_sent(request.headers());
    let password = Password::presented(password);
    let address = client_of(&state, &request);
    let user = SignIn { email: &email, password, address, device }.person(&state).await?;
    let begun = begin(&state, &request, user).await?;
    Ok(begun.answer(&state.account_of(&begun.signed_in).await?))
}

/// The session of a request, behind the same guards as the dashboard's pages.
async fn own_session(state: &ApiState, request: &HttpRequest) -> Result<SignedIn, ApiError> {
    let signed_in = admit(state, request, refuse_cross_site_read).await?;
    pass_guard(state, &signed_in).await?;
    Ok(signed_in)
}

async fn session(state: web::Data<ApiState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let signed_in = own_session(&state, &request).await?;
    let account = state.account_of(&signed_in).await?;
    Ok(HttpResponse::Ok().json(session_json(&signed_in, &account)))
}

async fn sign_out(state: web::Data<ApiState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let signed_in = own_session(&state, &request).await?;
    let (user_id, id) = (signed_in.user().id, signed_in.session().id);
    state.storage.session_end(&signed_in.own_user()?, user_id, id, state.clock.now()).await?;
    Ok(HttpResponse::NoContent()
        .insert_header((header::SET_COOKIE, no_session_cookie()))
        .insert_header((CLEAR_SITE_DATA.clone(), "\"cache\", \"storage\""))
        .finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstOwnerForm {
    token: String,
    account: String,
    email: String,
    password: String,
    plan: Option<String>,
}

async fn set_up(
    state: web::Data<ApiState>,
    request: HttpRequest,
    form: web::Json<FirstOwnerForm>,
) -> Result<HttpResponse, ApiError> {
    refuse_cross_site_change(request.headers(), state.settings.public_url.as_deref())?;
    refuse_plain_http(&state, &request)?;
    if !state.storage.setup_is_open(&SET_UP).await? {
        return Err(ApiError::SetUpAlready);
    }
    let form = form.into_inner();
    let hash = match SetupToken::parse(&form.token) {
        Ok(token) => token.hash(),
        Err(_) => return Err(wrong_token(&state, &request)),
    };
    let account: AccountName = form.account.parse().map_err(|error| bad(&error))?;
    let email: UserEmail = form.email.parse().map_err(|error| bad(&error))?;
    let plan = match form.plan.as_deref() {
        None => Plan::Enterprise,
        Some(text) => text.parse().map_err(|_| {
            ApiError::BadRequest("a plan is starter, professional or enterprise, such as enterprise".to_owned())
        })?,
    };
    let password = Password::chosen(form.password, &email).map_err(|error| bad(&error))?;
    let password = state.passwords.hash(password, seeded_by_system()?).await?;
    let owner = FirstOwner { account, plan, email, password };
    match state.storage.setup_complete(&SET_UP, &hash, &owner, state.clock.now()).await? {
        Setup::Done(account, user) => {
            tracing::info!(account_id = account.id.0, user_id = user.id.0, "the first owner has set the service up");
            Ok(begin(&state, &request, user).await?.answer(&account))
        }
        Setup::Refused => Err(wrong_token(&state, &request)),
        Setup::Closed => Err(ApiError::SetUpAlready),
    }
}

fn bad(error: &dyn std::error::Error) -> ApiError {
    ApiError::BadRequest(error.to_string())
}

fn wrong_token(state: &ApiState, request: &HttpRequest) -> ApiError {
    state.authentication_failed(
        client_of(state, request),
        ApiError::Refused(
            "Refused: this set-up link is wrong or its time is over; the service writes a new one when it is restarted",
        ),
        "Too many failed authentications from this address: wait for the seconds in Retry-After",
    )
}
