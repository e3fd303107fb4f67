use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use astranetmon_ingest::{Answer, MetricBatch, read_metrics};

use super::append::{answer, batch, metric_bounds};
use super::{Agent, BodyForm};
use crate::endpoints::NoParameters;
use crate::{ApiError, ApiState};

/// Send metrics
///
/// A metric is unique on its timestamp: one that was there keeps its values and gains those that it lacked. Metrics
/// older than the account keeps samples are refused, as are those more than 10 minutes ahead of the server's clock.
#[utoipa::path(
    operation_id = "ingest_metrics",
    tag = "ingest",
    security(("agent_token" = [])),
    request_body(content = MetricBatch, description = "At most 10,000 rows, 4 MiB as sent, 32 MiB unpacked."),
    responses((status = 200, description = "What became of the rows, once everything taken is durable.", body = Answer)),
)]
#[post("/metrics")]
pub(crate) async fn metrics(
    agent: Agent,
    _: NoParameters,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = BodyForm::BATCH.receive(&state, &request, payload).await?;
    let bounds = metric_bounds(&state, &agent).await?;
    let (records, pending) = batch(&agent, body, bounds, read_metrics).await?;
    let now = state.clock.now();
    let appended = state.storage.metric_append(agent.scope(), records, now).await;
    answer(&state, &agent, pending, appended, now).await
}
