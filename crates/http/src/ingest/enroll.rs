use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use astranetmon_auth::{AgentToken, EnrolmentToken};
use astranetmon_ingest::{EnrollAnswer, EnrollBody, Refusal, Secret, UnreadableBody, read_enroll};
use astranetmon_storage::{EnrolRequest, Enrolled};

use super::BodyForm;
use super::door::turn_to_look_up;
use crate::client_address::client_of;
use crate::endpoints::NoParameters;
use crate::session::seeded_by_system;
use crate::{ApiError, ApiState};

/// Enrol an agent
///
/// Exchanges an enrolment token for the token of one agent, which is told this once. The agent's id is that for which
/// the enrolment token was made, else the one asked for, else one made from the host's name. An agent that is enrolled
/// again gets a new token in place of its former one.
#[utoipa::path(
    operation_id = "enroll_agent",
    tag = "ingest",
    request_body(content = EnrollBody, description = "At most 64 KiB."),
    responses((status = 201, description = "The agent is there, and this is its token.", body = EnrollAnswer)),
)]
#[post("/enroll")]
pub(crate) async fn enroll(
    _: NoParameters,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = BodyForm::OBJECT.receive(&state, &request, payload).await?;
    let sent = body.read(|body| read_enroll(body).map_err(bad_object)).await?;
    let presented = sent.token.ok_or_else(|| {
        let missing = "token is missing: send the enrolment token, such as \"astra_enroll_…\"";
        ApiError::BadRequest(format!("Invalid body: {missing}"))
    })?;
    let facts = sent.facts.unwrap_or_default().check(None).map_err(|refusal| bad_field(&refusal))?;
    let address = client_of(&state, &request);
    let refused = || {
        state.authentication_failed(
            address,
            ApiError::EnrolmentRefused,
            "Too many failed authentications from this address: wait for the seconds in Retry-After, then send a valid \
             enrolment token",
        )
    };
    // What fails the checksum never reaches storage.
    let hash = EnrolmentToken::parse(presented.reveal()).map_err(|_| refused())?.hash();
    let token = AgentToken::generate(&mut seeded_by_system()?);
    let wanted = EnrolRequest {
        asked_id: sent.agent_id,
        facts,
        public_ip: Some(address.to_string()),
        token_hash: token.hash(),
        token_hint: token.hint(),
    };
    let _turn = turn_to_look_up(&state, address).await?;
    match state.storage.agent_enroll(&hash, &wanted, state.clock.now()).await? {
        Enrolled::Agent { account_name, agent_id, .. } => Ok(HttpResponse::Created().json(EnrollAnswer {
            agent_id: agent_id.to_string(),
            agent_token: Secret::new(token.reveal().to_owned()),
            account: account_name.to_string(),
        })),
        Enrolled::Refused => Err(refused()),
        Enrolled::Taken => Err(ApiError::AgentExists),
    }
}

/// A body of one object that cannot be read.
pub(super) fn bad_object(error: UnreadableBody) -> ApiError {
    ApiError::BadRequest(error.to_string())
}

/// A body of one object that says something impossible.
pub(super) fn bad_field(refusal: &Refusal) -> ApiError {
    ApiError::BadRequest(format!("Invalid body: {refusal}"))
}
