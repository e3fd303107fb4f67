use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use astranetmon_auth::ReadMetrics;
use astranetmon_promql::{Query, SeriesFilter};

use super::answer::{Metric, limited};
use super::load::series_in;
use super::parameters::{Parameters, invalid, span};
use super::schemas::{PrometheusSeriesAnswer, PrometheusSeriesForm};
use crate::{ApiError, ApiState, Authorized};

const MATCH: &str = "match[]";
const MOST_FILTERS: usize = 100;

/// The filters of a form; every series if it has none.
pub(super) fn filters(given: &Parameters) -> Result<Vec<SeriesFilter>, ApiError> {
    let mut texts: Vec<&str> = given.all(MATCH).filter(|text| !text.is_empty()).collect();
    if texts.is_empty() {
        texts.push("{__name__!=\"\"}");
    }
    if texts.len() > MOST_FILTERS {
        return Err(invalid(MATCH, "at most 100 selectors are taken at once"));
    }
    let parse = |text| Query::parse_selector(text).map_err(|error| invalid(MATCH, &error.to_string()));
    texts.into_iter().map(parse).collect()
}

async fn answer(
    caller: &Authorized<ReadMetrics>,
    given: &Parameters,
    state: &ApiState,
) -> Result<HttpResponse, ApiError> {
    given.needed(MATCH)?;
    let (filters, span, limit) = (filters(given)?, span(given)?, given.limit()?);
    let all = series_in(&filters, span, caller.scope(), state).await?;
    Ok(limited(all.iter().map(Metric).collect(), limit))
}

/// Find series by their labels
///
/// What Prometheus answers at `/api/v1/series`: the labels of the series that any of the selectors takes and that have
/// samples in the range.
#[utoipa::path(
    operation_id = "prometheus_series",
    tag = "prometheus",
    params(
        ("match[]" = Vec<String>, Query, description = "A selector; may be repeated.", example = json!(["astranetmon_cpu_percent"])),
        ("start" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795429618"),
        ("end" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795433218"),
        ("limit" = Option<String>, Query, description = "Series at most.", example = "1000"),
    ),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((status = 200, description = "Labels of series.", body = PrometheusSeriesAnswer)),
)]
#[get("/series")]
pub(crate) async fn series(
    caller: Authorized<ReadMetrics>,
    given: Parameters,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    answer(&caller, &given, &state).await
}

by_form! {
    /// Find series by their labels, by a form
    ///
    /// The same with its parameters in the body, for long selectors.
    series_by_form = "prometheus_series_by_form", "/series", PrometheusSeriesForm, "Labels of series.", PrometheusSeriesAnswer
}
