use std::collections::BTreeMap;

use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadMetrics;
use astranetmon_domain::METRIC_FIELDS;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::success;
use super::parameters::Parameters;
use super::schemas::PrometheusMetadataAnswer;
use super::sources::metric_name;
use crate::{ApiError, Authorized};

/// What a metric is.
#[derive(Serialize, ToSchema)]
#[schema(as = PrometheusMetadata)]
pub(super) struct MetricMetadata {
    /// `gauge`, or `counter` if it only rises.
    r#type: &'static str,
    /// What it measures.
    help: String,
    /// Its unit; empty for a mere number.
    unit: &'static str,
}

/// Describe metrics
///
/// What Prometheus answers at `/api/v1/metadata`: type, meaning and unit of each metric.
#[utoipa::path(
    operation_id = "prometheus_metadata",
    tag = "prometheus",
    params(
        ("metric" = Option<String>, Query, description = "Only this one.", example = "astranetmon_cpu_percent"),
        ("limit" = Option<String>, Query, description = "Metrics at most.", example = "1000"),
    ),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((
        status = 200,
        description = "Metrics by name.",
        body = PrometheusMetadataAnswer,
    )),
)]
#[get("/metadata")]
pub(crate) async fn metadata(_: Authorized<ReadMetrics>, given: Parameters) -> Result<HttpResponse, ApiError> {
    let (wanted, limit) = (given.get("metric"), given.limit()?);
    let all: BTreeMap<String, [MetricMetadata; 1]> = METRIC_FIELDS
        .into_iter()
        .map(|field| {
            let r#type = if field.name.ends_with("_total") { "counter" } else { "gauge" };
            (metric_name(field), [MetricMetadata { r#type, help: field.label(), unit: field.unit() }])
        })
        .filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name))
        .collect();
    Ok(success(all.into_iter().take(limit).collect::<BTreeMap<_, _>>()))
}
