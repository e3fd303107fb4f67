use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadAgents;
use astranetmon_domain::Agent;

use super::one_record::OneRecord;
use crate::conditional::validator_of;
use crate::encode::json_response;
use crate::wire::AgentRecord;
use crate::{ApiError, ApiState, Authorized};

/// Read one agent
///
/// An id of another account is as unknown as one that does not exist.
#[utoipa::path(
    operation_id = "get_agent",
    tag = "agents",
    params(("id" = String, Path, description = "The agent's id.", min_length = 1, example = "agent-123")),
    security(("api_key" = ["read:agents"]), ("session" = [])),
    responses((status = 200, description = "The agent.", body = AgentRecord)),
)]
#[get("/agents/{id}")]
pub(crate) async fn agent(
    authorized: Authorized<ReadAgents>,
    asked: OneRecord<Agent>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let validator = validator_of(&asked, authorized.scope(), &state).await?;
    let agent = asked.find(authorized.scope(), &state).await?;
    Ok(validator.mark(json_response(&AgentRecord::new(&agent, state.clock.now()))))
}
