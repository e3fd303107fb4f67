use actix_web::web::{Data, Payload};
use actix_web::{HttpResponse, get, post};
use futures_util::StreamExt;

use super::{AnyBytes, MEBIBYTE, must_be_on, seat};
use crate::ingest::Agent;
use crate::{ApiError, ApiState};

/// Measure the round trip to the server
///
/// Nothing, as fast as can be. Only where the operator has switched the server's speed tests on.
#[utoipa::path(
    operation_id = "speedtest_ping",
    tag = "ingest",
    security(("agent_token" = [])),
    responses((status = 200, description = "Nothing.")),
)]
#[get("/speedtest/empty")]
pub(crate) async fn ping(_: Agent, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    must_be_on(&state)?;
    Ok(HttpResponse::Ok().finish())
}

/// Upload to the server
///
/// Takes bytes and throws them away. Only where the operator has switched the server's speed tests on, for a bounded
/// number of agents at a time, and no more bytes a request than the operator allows (256 MiB by default).
#[utoipa::path(
    operation_id = "speedtest_upload",
    tag = "ingest",
    security(("agent_token" = [])),
    request_body(content = inline(AnyBytes), content_type = "application/octet-stream", description = "Anything."),
    responses((status = 200, description = "All of it has come.")),
)]
#[post("/speedtest/empty")]
pub(crate) async fn upload(
    agent: Agent,
    state: Data<ApiState>,
    mut payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let _seat = seat(&state, &agent)?;
    let mut left = u64::from(state.settings.speedtest_mebibytes.get()) * MEBIBYTE;
    while let Some(part) = payload.next().await {
        let part = part.map_err(|_| ApiError::BadRequest("Incomplete body: send it again".to_owned()))?;
        left = left
            .checked_sub(part.len() as u64)
            .ok_or(ApiError::PayloadTooLarge("no more bytes a request than its operator allows, 256 MiB by default"))?;
    }
    Ok(HttpResponse::Ok().finish())
}
