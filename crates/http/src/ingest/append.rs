//! What the endpoints that take rows have in common.

use actix_web::HttpResponse;
use astranetmon_domain::{AgentId, Timestamp};
use astranetmon_ingest::{Batch, PendingAnswer, TimeBounds, UnreadableBody};
use astranetmon_storage::{Appended, IngestRetention, StorageError};

use super::Agent;
use super::body::Received;
use crate::ApiError;
use crate::encode::json_response;
use crate::state::ApiState;

/// How a body becomes records.
pub(super) type ReadBatch<T> = fn(&[u8], &AgentId, &TimeBounds) -> Result<Batch<T>, UnreadableBody>;

/// The times of metrics that the agent's account takes now.
///
/// # Errors
/// Those of the storage.
pub(crate) async fn metric_bounds(state: &ApiState, agent: &Agent) -> Result<TimeBounds, ApiError> {
    let (kept, now) = (retention(state, agent).await?, state.clock.now());
    Ok(TimeBounds::new(now, kept.oldest_metric(now), kept.retention.raw_days()))
}

/// The times of speed tests and traceroutes that the agent's account takes now.
///
/// # Errors
/// Those of the storage.
pub(crate) async fn record_bounds(state: &ApiState, agent: &Agent) -> Result<TimeBounds, ApiError> {
    let (kept, now) = (retention(state, agent).await?, state.clock.now());
    Ok(TimeBounds::new(now, kept.oldest_record(now), kept.retention.hourly_days()))
}

async fn retention(state: &ApiState, agent: &Agent) -> Result<IngestRetention, ApiError> {
    state.storage.retention_for_ingest(agent.scope()).await.map_err(ApiError::of_ingestion)
}

/// The rows of a body, checked. `bounds` are those of the moment at which it has come.
///
/// # Errors
/// 400 if it cannot be read, 413, 503.
pub(super) async fn batch<T: Send + 'static>(
    agent: &Agent,
    body: Received,
    bounds: TimeBounds,
    read: ReadBatch<T>,
) -> Result<(Vec<T>, PendingAnswer), ApiError> {
    let id = agent.id().clone();
    let batch = body.read(move |body| {
        read(body, &id, &bounds).map_err(|error| match error {
            UnreadableBody::Malformed(sentence) => ApiError::BadRequest(sentence),
            UnreadableBody::TooManyRows => ApiError::PayloadTooLarge("at most 10000 rows: send more in another body"),
        })
    });
    batch.await.map(Batch::into_records)
}

/// The answer, once what was taken is durable and the agent is known to have been here.
///
/// # Errors
/// Those of the storage.
pub(super) async fn answer(
    state: &ApiState,
    agent: &Agent,
    pending: PendingAnswer,
    appended: Result<Appended, StorageError>,
    now: Timestamp,
) -> Result<HttpResponse, ApiError> {
    let appended = appended.map_err(ApiError::of_ingestion)?;
    // Rows mark their agent as seen in the transaction that keeps them.
    if appended.inserted + appended.filled + appended.known == 0 && appended.too_old_rows.is_empty() {
        state.storage.agent_seen(agent.scope(), agent.id(), now).await.map_err(ApiError::of_ingestion)?;
    }
    Ok(json_response(&pending.too_old(&appended.too_old_rows).answer(&appended.known_rows)))
}
