use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadTraceroutes;
use astranetmon_storage::RecordPage;

use super::record_list::TestListQuery;
use crate::encode::json_response;
use crate::wire::{TracerouteList, TracerouteRecord};
use crate::{ApiError, ApiState, Authorized};

/// Query traceroutes
///
/// Results of traceroutes, newest first, then by agent, then by id.
#[utoipa::path(
    operation_id = "list_traceroutes",
    tag = "traceroutes",
    params(TestListQuery),
    security(("api_key" = ["read:traceroutes"]), ("session" = [])),
    responses((status = 200, description = "Traceroutes.", body = TracerouteList)),
)]
#[get("/traceroutes")]
pub(crate) async fn traceroutes(
    authorized: Authorized<ReadTraceroutes>,
    query: TestListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let page = if query.filter.is_empty() {
        RecordPage::default()
    } else {
        state.storage.traceroute_page(authorized.scope(), &query.filter, &query.page).await?
    };
    let link = page.next.and_then(|next| query.link_behind(next, &state));
    let traceroutes = page.rows.into_iter().map(TracerouteRecord::from).collect();
    Ok(json_response(&TracerouteList { traceroutes, total: page.total }, link))
}
