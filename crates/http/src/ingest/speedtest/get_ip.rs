use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::must_be_on;
use crate::client_address::client_of;
use crate::encode::json_response;
use crate::ingest::Agent;
use crate::{ApiError, ApiState};

/// The address that a request came from, as LibreSpeed's clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnAddress {
    /// The address.
    #[schema(example = "192.0.2.7")]
    processed_string: String,
    /// Always empty: this server knows nothing of providers.
    #[schema(example = "")]
    raw_isp_info: String,
}

/// Read the caller's own address
///
/// As the server sees it. Only where the operator has switched the server's speed tests on.
#[utoipa::path(
    operation_id = "speedtest_address",
    tag = "ingest",
    security(("agent_token" = [])),
    responses((status = 200, description = "The address.", body = OwnAddress)),
)]
#[get("/speedtest/getIP")]
pub(crate) async fn get_ip(_: Agent, state: Data<ApiState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    must_be_on(&state)?;
    let address = client_of(&state, &request).to_string();
    Ok(json_response(&OwnAddress { processed_string: address, raw_isp_info: String::new() }))
}
