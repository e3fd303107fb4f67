use actix_web::body::BoxBody;
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, Scope, web};

use super::cross_site::{refuse_cross_site_change, refuse_cross_site_page};
use super::{SignedIn, find_session, pass_guard};
use crate::ApiError;
use crate::client_address::client_of;
use crate::error::JSON_BODY;
use crate::extractors::api_app_defaults;
use crate::middleware::{edge_with, error_in_contract_form, held, request_form};
use crate::state::ApiState;

const CSRF: &str = "x-astra-csrf";

/// What a page may do: use its own parts and call its own service; text never becomes script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// What the pages that are mounted here look like from outside.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Path of the page where people sign in; `next` is added to it.
    pub sign_in: &'static str,
    /// A failure as a person reads it, for callers who want `text/html`; the status is the failure's own. The person is
    /// told who is known to be signed in.
    pub failure: fn(&ApiError, Option<&SignedIn>) -> HttpResponse,
}

/// Pages for people who have signed in. A handler takes [`SignedIn`]; without a session, a page leads to the sign-in
/// page, and everything else is 401. What changes something comes from the service's own pages, with their CSRF token.
#[must_use]
pub fn signed_in_scope(state: web::Data<ApiState>, pages: Pages, scope: Scope) -> impl HttpServiceFactory + 'static {
    let (at_edge, at_door) = (state.clone(), state.clone());
    scope
        .app_data(state)
        .configure(api_app_defaults)
        .wrap(from_fn(move |request, next| signed_in_door(at_door.clone(), pages, request, next)))
        .wrap(from_fn(move |request, next| page_headers(pages, request, next)))
        .wrap(from_fn(move |request, next| page_edge(at_edge.clone(), pages, request, next)))
}

/// Pages for everybody, with the same edge.
#[must_use]
pub fn open_scope(state: web::Data<ApiState>, pages: Pages, scope: Scope) -> impl HttpServiceFactory + 'static {
    let (at_edge, at_door) = (state.clone(), state.clone());
    scope
        .app_data(state)
        .configure(api_app_defaults)
        .wrap(from_fn(move |request, next| open_door(at_door.clone(), request, next)))
        .wrap(from_fn(move |request, next| page_headers(pages, request, next)))
        .wrap(from_fn(move |request, next| page_edge(at_edge.clone(), pages, request, next)))
}

const fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

async fn open_door(
    state: web::Data<ApiState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let checked = request_form::check(&request, JSON_BODY).and_then(|()| {
        if only_reads(request.method()) {
            Ok(())
        } else {
            refuse_cross_site_change(request.headers(), state.settings.public_url.as_deref())
        }
    });
    match checked {
        Ok(()) => next.call(request).await,
        Err(refusal) => Ok(request.error_response(refusal)),
    }
}

async fn signed_in_door(
    state: web::Data<ApiState>,
    pages: Pages,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    if let Err(refusal) = request_form::check(&request, JSON_BODY) {
        return Ok(request.error_response(refusal));
    }
    let signed_in = match admit(&state, request.request(), refuse_cross_site_page).await {
        Ok(signed_in) => signed_in,
        Err(ApiError::NotSignedIn) if is_page_view(&request) => {
            let sign_in = sign_in_location(pages.sign_in, &request);
            let response = HttpResponse::SeeOther().insert_header((header::LOCATION, sign_in)).finish();
            return Ok(request.into_response(response));
        }
        Err(refusal) => return Ok(request.error_response(refusal)),
    };
    let place = match pass_guard(&state, &signed_in).await {
        Ok(place) => place,
        Err(refusal) => return Ok(request.error_response(refusal)),
    };
    request.extensions_mut().insert(signed_in.principal().clone());
    request.extensions_mut().insert(signed_in);
    let (request, response) = next.call(request).await?.into_parts();
    Ok(ServiceResponse::new(request, held(response, place)))
}

/// Whose session a request is made in, once it is known that no other site made it. What reading is refused is told by
/// `refuse_read`.
pub(super) async fn admit(
    state: &ApiState,
    request: &HttpRequest,
    refuse_read: fn(&HeaderMap) -> Result<(), ApiError>,
) -> Result<SignedIn, ApiError> {
    let (headers, reads) = (request.headers(), only_reads(request.method()));
    if reads {
        refuse_read(headers)?;
    } else {
        refuse_cross_site_change(headers, state.settings.public_url.as_deref())?;
    }
    let signed_in = find_session(state, headers, client_of(state, request)).await?.ok_or(ApiError::NotSignedIn)?;
    if !reads {
        check_csrf_token(state, headers, &signed_in)?;
    }
    Ok(signed_in)
}

/// Only the service's own pages know the token, and no form or image can send the header.
fn check_csrf_token(state: &ApiState, headers: &HeaderMap, signed_in: &SignedIn) -> Result<(), ApiError> {
    let presented = headers.get(CSRF).map(HeaderValue::as_bytes);
    if presented.is_some_and(|token| state.session_secrets.is_csrf_token(signed_in.hash(), token)) {
        Ok(())
    } else {
        Err(ApiError::Refused("Refused: send the session's token as X-Astra-CSRF; reload the page if it is an old one"))
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accept| accept.contains("text/html"))
}

fn is_page_view(request: &ServiceRequest) -> bool {
    only_reads(request.method()) && wants_html(request.headers())
}

fn sign_in_location(sign_in: &str, request: &ServiceRequest) -> String {
    let asked = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut location = format!("{sign_in}?next=");
    for byte in asked.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                location.push(char::from(byte));
            }
            _ => location.push_str(&format!("%{byte:02X}")),
        }
    }
    location
}

/// The headers of pages, and failures as people read them.
async fn page_headers(pages: Pages, request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let html = is_page_view(&request);
    let (request, response) = next.call(request).await?.into_parts();
    let mut response = match failure(&response) {
        Some(failure) if html => {
            let mut page = (pages.failure)(&failure, request.extensions().get::<SignedIn>());
            if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
                page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
            }
            page
        }
        _ => response,
    };
    insert_page_headers(response.headers_mut());
    Ok(ServiceResponse::new(request, response))
}

/// The edge of pages: those who open a page get one after a panic too.
async fn page_edge(
    state: web::Data<ApiState>,
    pages: Pages,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let html = is_page_view(&request);
    let of_error = move |error: Error, wants_problem: bool| {
        let mut response = match error.as_error::<ApiError>() {
            Some(failure) if html => (pages.failure)(failure, None),
            _ => error_in_contract_form(error, wants_problem),
        };
        insert_page_headers(response.headers_mut());
        response
    };
    edge_with(state, of_error, request, next).await
}

fn insert_page_headers(headers: &mut header::HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(OPENER_POLICY.clone(), HeaderValue::from_static("same-origin"));
    headers.insert(PERMISSIONS_POLICY.clone(), HeaderValue::from_static(PERMISSIONS));
}

fn failure(response: &HttpResponse) -> Option<ApiError> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    match response.error().and_then(|error| error.as_error::<ApiError>()) {
        Some(own) => Some(own.clone()),
        None if status == StatusCode::NOT_FOUND => Some(ApiError::NotFound),
        None => None,
    }
}
