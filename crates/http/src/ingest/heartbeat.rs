use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use astranetmon_domain::Heartbeat as Stored;
use astranetmon_ingest::{Heartbeat, HeartbeatAnswer, read_heartbeat};

use super::enroll::{bad_field, bad_object};
use super::{Agent, BodyForm};
use crate::client_address::client_of;
use crate::encode::json_response;
use crate::endpoints::NoParameters;
use crate::{ApiError, ApiState};

/// Say that the agent is there
///
/// What the agent says of its host, of what waits to be sent and of what it takes itself. The answer has the server's
/// clock, by which the agent can tell how wrong its own is.
#[utoipa::path(
    operation_id = "heartbeat",
    tag = "ingest",
    security(("agent_token" = [])),
    request_body(content = Heartbeat, description = "At most 64 KiB."),
    responses((status = 200, description = "It is stored.", body = HeartbeatAnswer)),
)]
#[post("/heartbeat")]
pub(crate) async fn heartbeat(
    agent: Agent,
    _: NoParameters,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = BodyForm::OBJECT.receive(&state, &request, payload).await?;
    let sent = body.read(|body| read_heartbeat(body).map_err(bad_object)).await?;
    sent.check_numbers().map_err(|refusal| bad_field(&refusal))?;
    let now = state.clock.now();
    let facts = sent.facts.unwrap_or_default().check(sent.interval_seconds).map_err(|refusal| bad_field(&refusal))?;
    let (spool, cost) = (sent.spool.unwrap_or_default(), sent.cost.unwrap_or_default());
    let heartbeat = Stored {
        agent_id: agent.id().clone(),
        facts,
        public_ip: Some(client_of(&state, &request).to_string()),
        spool_row_count: spool.row_count,
        spool_oldest_at: spool.oldest_timestamp,
        dropped_row_count: spool.dropped_row_count,
        cost_cpu_percent: cost.cpu_percent,
        cost_memory_bytes: cost.memory_bytes.and_then(|bytes| bytes.try_into().ok()),
        sent_at: sent.sent_at,
    };
    state.storage.agent_heartbeat(agent.scope(), &heartbeat, now).await.map_err(ApiError::of_ingestion)?;
    let answer = HeartbeatAnswer { server_time: now.to_string(), agent_id: agent.id().to_string() };
    Ok(json_response(&answer))
}
