use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadTraceroutes;
use astranetmon_domain::{Limit, PageRequest};

use super::record_list::TracerouteListQuery;
use crate::conditional::answer;
use crate::encode::{ListBody, RecordRows};
use crate::wire::TracerouteList;
use crate::{ApiError, ApiState, Authorized};

/// Query traceroutes
///
/// Results of traceroutes, newest first, then by agent, then by id.
#[utoipa::path(
    operation_id = "list_traceroutes",
    tag = "traceroutes",
    params(TracerouteListQuery),
    security(("api_key" = ["read:traceroutes"]), ("session" = [])),
    responses((
        status = 200,
        description = "Traceroutes.",
        content(
            (TracerouteList = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        ),
    )),
)]
#[get("/traceroutes")]
pub(crate) async fn traceroutes(
    authorized: Authorized<ReadTraceroutes>,
    query: TracerouteListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let scope = authorized.scope();
    let make = async || {
        if let Some(after) = query.arrived_after {
            let first = PageRequest::new(Limit::SMALLEST, None);
            let total = state.storage.traceroute_page(scope, &query.filter, &first).await?.total;
            let arrivals = state.storage.traceroute_arrivals(scope, &query.filter, after, query.page.limit).await?;
            let rows = RecordRows::new(arrivals.rows);
            return Ok(query.arrived(rows, total, (arrivals.until, arrivals.more), &state).await);
        }
        let page = state.storage.traceroute_page(scope, &query.filter, &query.page).await?;
        let next = page.next.and_then(|next| query.behind(next, &state));
        Ok(ListBody::new(RecordRows::new(page.rows), query.shape, page.total, next).respond().await)
    };
    answer(&query, scope, &state, make).await
}
