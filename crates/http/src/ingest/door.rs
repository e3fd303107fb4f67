use std::net::IpAddr;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use astranetmon_auth::{AgentPrincipal, AgentToken, AgentTokenLookup};
use astranetmon_ratelimit::InFlight;

use super::credential::AgentCredential;
use crate::ApiError;
use crate::client_address::client_of;
use crate::endpoints;
use crate::middleware::{RequestId, caught, held, request_form};
use crate::state::ApiState;

/// Where a machine gets its token, and has none yet.
const ENROLL: &str = "/ingest/v1/enroll";
/// Senders there believe that they speak to InfluxDB.
const INFLUX: &str = "/ingest/v1/influx";
/// Senders there drop what is answered 4xx, 429 too.
const INFLUX_V1: &str = "/ingest/v1/influx/write";

/// The door of `/ingest/v1`. In this order: credential, form, places in flight; behind it the handler looks at the body.
pub(super) async fn door(
    state: web::Data<ApiState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let path = request.match_info().as_str().to_owned();
    let agent = match path.as_str() {
        ENROLL => None,
        path => match identify(&state, request.request(), path).await {
            Ok(agent) => Some(agent),
            Err(refusal) => return Ok(request.error_response(refusal)),
        },
    };
    if let Err(refusal) = request_form::check_target(&request).and_then(|()| method_known(&path, request.request())) {
        return Ok(request.error_response(refusal));
    }
    let place = match &agent {
        None => None,
        Some(agent) => match place_of(&state, agent).await {
            Ok(place) => Some(place),
            Err(_) if path == INFLUX_V1 => return Ok(request.error_response(ApiError::Unavailable)),
            Err(refusal) => return Ok(request.error_response(refusal)),
        },
    };
    if let Some(agent) = agent {
        request.extensions_mut().insert(agent);
    }
    let request_id = request.extensions().get::<RequestId>().cloned();
    let request_id = request_id.unwrap_or_else(|| RequestId::of(request.headers()));
    let answer = caught(request_id, async { next.call(request).await }).await?;
    let Some(place) = place else { return Ok(answer) };
    let (request, response) = answer.into_parts();
    Ok(ServiceResponse::new(request, held(response, place)))
}

fn method_known(path: &str, request: &HttpRequest) -> Result<(), ApiError> {
    match endpoints::allowed_methods(path) {
        Some(allow) if !allow.split(", ").any(|method| method == request.method().as_str()) => {
            Err(ApiError::MethodNotAllowed { allow: allow.to_owned() })
        }
        _ => Ok(()),
    }
}

async fn place_of(state: &ApiState, agent: &AgentPrincipal) -> Result<InFlight, ApiError> {
    let caller = (agent.account_id, agent.agent_id.clone());
    state.agent_concurrency.enter(caller).await.ok_or(ApiError::TooManyRequests {
        message: "Too many requests of this agent at once: wait for some of them to finish, then try again",
        retry_after: 1,
    })
}

async fn identify(state: &ApiState, request: &HttpRequest, path: &str) -> Result<AgentPrincipal, ApiError> {
    let address = client_of(state, request);
    let token_sent = match AgentCredential::of(request.headers(), path.starts_with(INFLUX)) {
        AgentCredential::Absent => false,
        AgentCredential::Malformed => true,
        AgentCredential::Token(token) => {
            // What fails the checksum never reaches storage.
            if let Ok(token) = AgentToken::parse(&token) {
                let _turn = turn_to_look_up(state, address).await?;
                let lookup: &dyn AgentTokenLookup = &*state.agent_tokens;
                if let Some(agent) = lookup.agent_token_find(&token.hash()).await? {
                    return Ok(agent);
                }
            }
            true
        }
    };
    Err(state.authentication_failed(
        address,
        ApiError::AgentUnauthorized { token_sent },
        "Too many failed authentications from this address: wait for the seconds in Retry-After, then send a valid \
         agent token as Authorization: Bearer astra_agent_…",
    ))
}

/// Made-up tokens from an address that keeps failing get to storage a few at a time. A good one waits for its turn: no
/// address is a reason to refuse it.
pub(super) async fn turn_to_look_up(
    state: &ApiState,
    address: IpAddr,
) -> Result<Option<astranetmon_ratelimit::Turn<'_>>, ApiError> {
    if !state.address_guard.is_suspect(address) {
        return Ok(None);
    }
    state.address_guard.turn().await.map(Some).ok_or(ApiError::Unavailable)
}
