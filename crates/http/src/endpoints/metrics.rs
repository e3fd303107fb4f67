use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadMetrics;
use astranetmon_domain::MetricPosition;
use astranetmon_storage::MetricPage;

use super::record_list::MetricListQuery;
use crate::conditional::validator_of;
use crate::encode::{ListBody, MetricRows};
use crate::wire::MetricList;
use crate::{ApiError, ApiState, Authorized};

/// Query metrics
///
/// What agents measured of their hosts (processor, memory, disk, network), newest first, then by agent.
#[utoipa::path(
    operation_id = "list_metrics",
    tag = "metrics",
    params(MetricListQuery),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((
        status = 200,
        description = "Metrics.",
        content(
            (MetricList = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        ),
    )),
)]
#[get("/metrics")]
pub(crate) async fn metrics(
    authorized: Authorized<ReadMetrics>,
    query: MetricListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let validator = validator_of(&query, authorized.scope(), &state).await?;
    let page = if query.filter.is_empty() {
        MetricPage::default()
    } else {
        state.storage.metric_page(authorized.scope(), &query.filter, &query.page).await?
    };
    let last = page.columns.len().checked_sub(1).filter(|_| page.more);
    let last = last.map(|row| MetricPosition {
        timestamp: page.columns.timestamp(row),
        agent_id: page.columns.agent_id(row).clone(),
    });
    let next = last.and_then(|last| query.behind(last, &state));
    Ok(validator.mark(ListBody::new(MetricRows::new(page.columns), query.shape, page.total, next).respond()))
}
