use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadSpeedtests;
use astranetmon_storage::RecordPage;

use super::record_list::TestListQuery;
use crate::encode::json_response;
use crate::wire::{SpeedtestList, SpeedtestRecord};
use crate::{ApiError, ApiState, Authorized};

/// Query speed tests
///
/// Results of speed tests, newest first, then by agent, then by id.
#[utoipa::path(
    operation_id = "list_speedtests",
    tag = "speedtests",
    params(TestListQuery),
    security(("api_key" = ["read:speedtests"]), ("session" = [])),
    responses((status = 200, description = "Speed tests.", body = SpeedtestList)),
)]
#[get("/speedtests")]
pub(crate) async fn speedtests(
    authorized: Authorized<ReadSpeedtests>,
    query: TestListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let page = if query.filter.is_empty() {
        RecordPage::default()
    } else {
        state.storage.speedtest_page(authorized.scope(), &query.filter, &query.page).await?
    };
    let link = page.next.and_then(|next| query.link_behind(next, &state));
    let speedtests = page.rows.into_iter().map(SpeedtestRecord::from).collect();
    Ok(json_response(&SpeedtestList { speedtests, total: page.total }, link))
}
