use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadSpeedtests;
use astranetmon_domain::{Limit, PageRequest};

use super::record_list::SpeedtestListQuery;
use crate::conditional::answer;
use crate::encode::{ListBody, RecordRows};
use crate::wire::SpeedtestList;
use crate::{ApiError, ApiState, Authorized};

/// Query speed tests
///
/// Results of speed tests, newest first, then by agent, then by id.
#[utoipa::path(
    operation_id = "list_speedtests",
    tag = "speedtests",
    params(SpeedtestListQuery),
    security(("api_key" = ["read:speedtests"]), ("session" = [])),
    responses((
        status = 200,
        description = "Speed tests.",
        content(
            (SpeedtestList = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        ),
    )),
)]
#[get("/speedtests")]
pub(crate) async fn speedtests(
    authorized: Authorized<ReadSpeedtests>,
    query: SpeedtestListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let scope = authorized.scope();
    let make = async || {
        if let Some(after) = query.arrived_after {
            let first = PageRequest::new(Limit::SMALLEST, None);
            let total = state.storage.speedtest_page(scope, &query.filter, &first).await?.total;
            let arrivals = state.storage.speedtest_arrivals(scope, &query.filter, after, query.page.limit).await?;
            let rows = RecordRows::new(arrivals.rows);
            return Ok(query.arrived(rows, total, (arrivals.until, arrivals.more), &state).await);
        }
        let page = state.storage.speedtest_page(scope, &query.filter, &query.page).await?;
        let next = page.next.and_then(|next| query.behind(next, &state));
        Ok(ListBody::new(RecordRows::new(page.rows), query.shape, page.total, next).respond().await)
    };
    answer(&query, scope, &state, make).await
}
