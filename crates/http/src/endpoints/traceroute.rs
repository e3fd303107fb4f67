use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadTraceroutes;
use astranetmon_domain::Traceroute;

use super::one_record::OneRecord;
use crate::conditional::validator_of;
use crate::encode::json_response;
use crate::wire::TracerouteRecord;
use crate::{ApiError, ApiState, Authorized};

/// Read one traceroute
///
/// An id of another account is as unknown as one that does not exist.
#[utoipa::path(
    operation_id = "get_traceroute",
    tag = "traceroutes",
    params(("id" = String, Path, description = "The traceroute's id.", format = "uuid", example = "01930a5e-7c3b-7d2a-9e4f-3b1c5d7e9f01")),
    security(("api_key" = ["read:traceroutes"]), ("session" = [])),
    responses((status = 200, description = "The traceroute.", body = TracerouteRecord)),
)]
#[get("/traceroutes/{id}")]
pub(crate) async fn traceroute(
    authorized: Authorized<ReadTraceroutes>,
    asked: OneRecord<Traceroute>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let validator = validator_of(&asked, authorized.scope(), &state).await?;
    let traceroute = asked.find(authorized.scope(), &state).await?;
    Ok(validator.mark(json_response(&TracerouteRecord::from(traceroute))))
}
