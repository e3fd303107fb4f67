use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get};

use super::record_list::NoParameters;
use crate::ApiError;
use crate::docs_page::{self, DocsAsset};

/// Explore the API
///
/// A page on which requests can be tried out. It loads nothing from elsewhere. Needs no credential.
#[utoipa::path(
    operation_id = "get_docs",
    tag = "documentation",
    security(()),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
#[get("/docs")]
pub(crate) async fn docs(_: NoParameters) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, docs_page::POLICY))
        .body(docs_page::INDEX)
}

/// Read a part of the explorer page
///
/// The scripts, styles and pictures of the page.
#[utoipa::path(
    operation_id = "get_docs_asset",
    tag = "documentation",
    security(()),
    params(("asset" = inline(DocsAsset), Path, description = "Name of the part.")),
    responses((
        status = 200,
        description = "The part.",
        content(
            (String = "text/javascript"),
            (String = "text/css"),
            (String = "image/png"),
        ),
    )),
)]
#[get("/docs/{asset:.*}")]
pub(crate) async fn docs_asset(request: HttpRequest, _: NoParameters) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().query("asset");
    if name.is_empty() {
        // The page's own links are relative to the path without the slash.
        return Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "../docs")).finish());
    }
    let asset = docs_page::asset(name).ok_or(ApiError::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, docs_page::POLICY))
        .body(asset.bytes))
}
