use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use astranetmon_auth::ReadAgents;
use astranetmon_domain::AgentId;

use super::record_list::NoParameters;
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
    _: NoParameters,
    request: HttpRequest,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let id = AgentId::parse(request.match_info().query("id")).map_err(|_| ApiError::NotFound)?;
    let agent = state.storage.agent_find(authorized.scope(), &id).await?.ok_or(ApiError::NotFound)?;
    Ok(json_response(&AgentRecord::new(&agent, state.clock.now()), None))
}
