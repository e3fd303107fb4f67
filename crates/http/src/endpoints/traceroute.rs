use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use astranetmon_auth::ReadTraceroutes;

use super::record_list::NoParameters;
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
    _: NoParameters,
    request: HttpRequest,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let id = request.match_info().query("id").parse().map_err(|_| ApiError::NotFound)?;
    let traceroute = state.storage.traceroute_find(authorized.scope(), id).await?.ok_or(ApiError::NotFound)?;
    Ok(json_response(&TracerouteRecord::from(traceroute), None))
}
