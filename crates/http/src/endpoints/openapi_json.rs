use std::sync::LazyLock;

use actix_web::{HttpResponse, get};
use bytes::Bytes;

use super::record_list::NoParameters;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| crate::openapi::pretty_document().into());

/// Read the OpenAPI document
///
/// This description of the API, OpenAPI 3.1. Needs no credential.
#[utoipa::path(
    operation_id = "get_openapi",
    tag = "documentation",
    security(()),
    responses((status = 200, description = "The document.", body = Object)),
)]
#[get("/openapi.json")]
pub(crate) async fn openapi_json(_: NoParameters) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body(DOCUMENT.clone())
}
