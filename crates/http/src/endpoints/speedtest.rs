use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadSpeedtests;
use astranetmon_domain::Speedtest;

use super::one_record::OneRecord;
use crate::conditional::validator_of;
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
    asked: OneRecord<Speedtest>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let validator = validator_of(&asked, authorized.scope(), &state).await?;
    let speedtest = asked.find(authorized.scope(), &state).await?;
    Ok(validator.mark(json_response(&SpeedtestRecord::from(speedtest))))
}
