use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadMetrics;
use astranetmon_domain::MetricPosition;
use astranetmon_storage::MetricPage;

use super::record_list::MetricListQuery;
use crate::encode::metrics_response;
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
    responses((status = 200, description = "Metrics.", body = MetricList)),
)]
#[get("/metrics")]
pub(crate) async fn metrics(
    authorized: Authorized<ReadMetrics>,
    query: MetricListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
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
    let link = last.and_then(|last| query.link_behind(last, &state));
    Ok(metrics_response(page, link))
}
