use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use astranetmon_auth::ReadSpeedtests;

use super::record_list::NoParameters;
use crate::encode::json_response;
use crate::wire::SpeedtestRecord;
use crate::{ApiError, ApiState, Authorized};

/// Read one speed test
///
/// An id of another account is as unknown as one that does not exist.
#[utoipa::path(
    operation_id = "get_speedtest",
    tag = "speedtests",
    params(("id" = String, Path, description = "The speed test's id.", format = "uuid", example = "01930a5e-7c3b-7d2a-9e4f-3b1c5d7e9f01")),
    security(("api_key" = ["read:speedtests"]), ("session" = [])),
    responses((status = 200, description = "The speed test.", body = SpeedtestRecord)),
)]
#[get("/speedtests/{id}")]
pub(crate) async fn speedtest(
    authorized: Authorized<ReadSpeedtests>,
    _: NoParameters,
    request: HttpRequest,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let id = request.match_info().query("id").parse().map_err(|_| ApiError::NotFound)?;
    let speedtest = state.storage.speedtest_find(authorized.scope(), id).await?.ok_or(ApiError::NotFound)?;
    Ok(json_response(&SpeedtestRecord::from(speedtest), None))
}
