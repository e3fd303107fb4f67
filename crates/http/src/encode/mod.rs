//! Answers as bytes.

mod agent_rows;
mod aggregate_rows;
#[cfg(feature = "parquet")]
mod column;
mod csv;
mod fields;
mod format;
mod held_metrics;
mod list_body;
mod metric_rows;
mod number;
#[cfg(feature = "parquet")]
mod parquet_file;
mod record_rows;
mod slice;
#[cfg(test)]
mod tests;

use actix_web::HttpResponse;
use serde::Serialize;

pub(crate) use agent_rows::{AgentRows, Latest, OverviewRows};
pub(crate) use aggregate_rows::AggregateRows;
pub(crate) use fields::Fields;
pub(crate) use format::Format;
#[cfg(feature = "parquet")]
pub(crate) use format::PARQUET;
pub(crate) use list_body::{ListBody, NextPage, Rows, Shape};
pub(crate) use metric_rows::{METRIC_NAMES, MetricRows};
pub(crate) use record_rows::RecordRows;

/// An answer of one JSON value, written in one pass.
pub(crate) fn json_response(value: &impl Serialize) -> HttpResponse {
    let mut bytes = Vec::with_capacity(4 * 1024);
    // Wire types have string keys and no fallible parts, and a vector takes everything.
    if serde_json::to_writer(&mut bytes, value).is_err() {
        return HttpResponse::InternalServerError().finish();
    }
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body(bytes)
}
