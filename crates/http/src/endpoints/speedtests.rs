use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadSpeedtests;
use astranetmon_storage::RecordPage;

use super::record_list::SpeedtestListQuery;
use crate::conditional::validator_of;
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
    let validator = validator_of(&query, authorized.scope(), &state).await?;
    let page = if query.filter.is_empty() {
        RecordPage::default()
    } else {
        state.storage.speedtest_page(authorized.scope(), &query.filter, &query.page).await?
    };
    let next = page.next.and_then(|next| query.behind(next, &state));
    Ok(validator.mark(ListBody::new(RecordRows::new(page.rows), query.shape, page.total, next).respond()))
}
