use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};

use crate::ApiError;
use crate::middleware::access_log::AccessLog;
use crate::middleware::contract_form::{contract_form, error_in_contract_form, wants_problem};
use crate::middleware::detached::{caught, detached};
use crate::middleware::request_id::X_REQUEST_ID;
use crate::middleware::{RequestId, safety_headers};
use crate::state::ApiState;

/// The outermost layer of every scope: runs the rest detached from the connection and gives each answer, that of a
/// panic too, the contract's form, its headers and its line in the log.
pub(crate) async fn edge(
    state: web::Data<ApiState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    edge_with(state, error_in_contract_form, request, next).await
}

/// The same; what `of_error` makes is the answer to an error that no inner layer answered, such as a panic. It is told
/// whether the caller wants RFC 9457.
pub(crate) async fn edge_with(
    state: web::Data<ApiState>,
    of_error: impl FnOnce(Error, bool) -> HttpResponse + 'static,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let request_id = RequestId::of(request.headers());
    let wants_problem = wants_problem(request.headers());
    let log = AccessLog::begin(&state, &request, request_id.clone());
    request.extensions_mut().insert(request_id.clone());
    let work = async move {
        match caught(request_id, async { next.call(request).await }).await {
            Ok(response) => {
                let (request, response) = response.into_parts();
                let response = finished(&state, log.request_id(), contract_form(response, wants_problem));
                log.end(&state, Some(&request), &response);
                Ok(ServiceResponse::new(request, response))
            }
            Err(error) => {
                let response = of_error(error, wants_problem);
                let response = finished(&state, log.request_id(), response);
                log.end(&state, None, &response);
                // A panic took the request, and without it actix takes an answer only as an error.
                Err(InternalError::from_response("answered without its request", response).into())
            }
        }
    };
    // The work is lost only if this worker stops, and nobody is left to read the answer then.
    detached(work).await.unwrap_or_else(|_| Err(ApiError::Unavailable.into()))
}

fn finished(state: &ApiState, request_id: &RequestId, mut response: HttpResponse) -> HttpResponse {
    safety_headers::insert(response.headers_mut(), state.settings.tls);
    response.headers_mut().insert(X_REQUEST_ID.clone(), request_id.to_header_value());
    if state.is_draining() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}
