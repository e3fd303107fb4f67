use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use astranetmon_ingest::{Answer, SpeedtestBatch, read_speedtests};

use super::append::{answer, batch, record_bounds};
use super::{Agent, BodyForm};
use crate::endpoints::NoParameters;
use crate::{ApiError, ApiState};

/// Send speed tests
///
/// A speed test is unique on its `id`; sent again, it changes nothing. Those older than the account keeps hourly
/// summaries are refused, as are those more than 10 minutes ahead of the server's clock.
#[utoipa::path(
    operation_id = "ingest_speedtests",
    tag = "ingest",
    security(("agent_token" = [])),
    request_body(content = SpeedtestBatch, description = "At most 10,000 rows, 4 MiB as sent, 32 MiB unpacked."),
    responses((status = 200, description = "What became of the rows, once everything taken is durable.", body = Answer)),
)]
#[post("/speedtests")]
pub(crate) async fn speedtests(
    agent: Agent,
    _: NoParameters,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = BodyForm::BATCH.receive(&state, &request, payload).await?;
    let bounds = record_bounds(&state, &agent).await?;
    let (records, pending) = batch(&agent, body, bounds, read_speedtests).await?;
    let now = state.clock.now();
    let appended = state.storage.speedtest_append(agent.scope(), records, now).await;
    answer(&state, &agent, pending, appended, now).await
}
