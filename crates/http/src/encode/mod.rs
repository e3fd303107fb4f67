//! Answers as bytes.

mod metric_rows;
mod number;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;

pub(crate) use metric_rows::metrics_response;

/// An answer of one JSON value, written in one pass.
pub(crate) fn json_response(value: &impl Serialize, link: Option<HeaderValue>) -> HttpResponse {
    let mut bytes = Vec::with_capacity(4 * 1024);
    // Wire types have string keys and no fallible parts, and a vector takes everything.
    if serde_json::to_writer(&mut bytes, value).is_err() {
        return HttpResponse::InternalServerError().finish();
    }
    let mut response = json_head(link);
    response.body(bytes)
}

fn json_head(link: Option<HeaderValue>) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("application/json; charset=utf-8");
    if let Some(link) = link {
        response.insert_header((header::LINK, link));
    }
    response
}
