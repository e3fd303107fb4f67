use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadTraceroutes;
use astranetmon_storage::RecordPage;

use super::record_list::TracerouteListQuery;
use crate::conditional::validator_of;
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
    let validator = validator_of(&query, authorized.scope(), &state).await?;
    let page = if query.filter.is_empty() {
        RecordPage::default()
    } else {
        state.storage.traceroute_page(authorized.scope(), &query.filter, &query.page).await?
    };
    let next = page.next.and_then(|next| query.behind(next, &state));
    Ok(validator.mark(ListBody::new(RecordRows::new(page.rows), query.shape, page.total, next).respond()))
}
