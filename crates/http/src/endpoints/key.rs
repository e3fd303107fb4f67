use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use super::own_key::OwnKeyPrincipal;
use super::record_list::NoParameters;
use crate::encode::json_response;
use crate::wire::KeyRecord;
use crate::{ApiError, ApiState};

/// Read this key
///
/// What the key may do that the request was made with, when it ends, and its last use. Needs no permission and costs
/// no quota. A dashboard session has no key: 404.
#[utoipa::path(
    operation_id = "get_key",
    tag = "key",
    security(("api_key" = [])),
    responses((status = 200, description = "The key.", body = KeyRecord)),
)]
#[get("/key")]
pub(crate) async fn key(
    own: OwnKeyPrincipal,
    _: NoParameters,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let key = &own.principal.key;
    // Uses are stored with a delay; those of this process are known at once.
    let pending = state.usage.pending(key.id).into_iter().map(|count| count.last_used_at);
    let last_used_at = pending.chain(key.last_used_at).max();
    Ok(json_response(&KeyRecord::new(key, own.principal.plan, last_used_at)))
}
