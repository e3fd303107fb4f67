use std::collections::BTreeSet;

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use astranetmon_auth::ReadMetrics;

use super::answer::limited;
use super::load::series_in;
use super::parameters::{Parameters, span};
use super::schemas::{PrometheusLabelsAnswer, PrometheusLabelsForm};
use super::series::filters;
use crate::{ApiError, ApiState, Authorized};

async fn answer(
    caller: &Authorized<ReadMetrics>,
    given: &Parameters,
    state: &ApiState,
) -> Result<HttpResponse, ApiError> {
    let (filters, span, limit) = (filters(given)?, span(given)?, given.limit()?);
    let all = series_in(&filters, span, caller.scope(), state).await?;
    let names: BTreeSet<&str> = all.iter().flat_map(|one| one.iter().map(|(name, _)| name)).collect();
    Ok(limited(names.into_iter().collect(), limit))
}

/// List names of labels
///
/// What Prometheus answers at `/api/v1/labels`.
#[utoipa::path(
    operation_id = "prometheus_labels",
    tag = "prometheus",
    params(
        ("match[]" = Option<Vec<String>>, Query, description = "A selector; may be repeated.", example = json!(["astranetmon_cpu_percent"])),
        ("start" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795429618"),
        ("end" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795433218"),
        ("limit" = Option<String>, Query, description = "Names at most.", example = "1000"),
    ),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((status = 200, description = "Names of labels.", body = PrometheusLabelsAnswer)),
)]
#[get("/labels")]
pub(crate) async fn labels(
    caller: Authorized<ReadMetrics>,
    given: Parameters,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    answer(&caller, &given, &state).await
}

by_form! {
    /// List names of labels, by a form
    ///
    /// The same with its parameters in the body, for long selectors.
    labels_by_form = "prometheus_labels_by_form", "/labels", PrometheusLabelsForm, "Names of labels.", PrometheusLabelsAnswer
}
