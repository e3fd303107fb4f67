use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use astranetmon_ingest::{Answer, TracerouteBatch, read_traceroutes};

use super::append::{answer, batch, record_bounds};
use super::{Agent, BodyForm};
use crate::endpoints::NoParameters;
use crate::{ApiError, ApiState};

/// Send traceroutes
///
/// A traceroute is unique on its `id`; sent again, it changes nothing. Whether the path changed is found against the
/// trace before in time, even for those that come late. Those older than the account keeps hourly summaries are
/// refused, as are those more than 10 minutes ahead of the server's clock.
#[utoipa::path(
    operation_id = "ingest_traceroutes",
    tag = "ingest",
    security(("agent_token" = [])),
    request_body(content = TracerouteBatch, description = "At most 10,000 rows, 4 MiB as sent, 32 MiB unpacked."),
    responses((status = 200, description = "What became of the rows, once everything taken is durable.", body = Answer)),
)]
#[post("/traceroutes")]
pub(crate) async fn traceroutes(
    agent: Agent,
    _: NoParameters,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = BodyForm::BATCH.receive(&state, &request, payload).await?;
    let bounds = record_bounds(&state, &agent).await?;
    let (records, pending) = batch(&agent, body, bounds, read_traceroutes).await?;
    let now = state.clock.now();
    let appended = state.storage.traceroute_append(agent.scope(), records, now).await;
    answer(&state, &agent, pending, appended, now).await
}
