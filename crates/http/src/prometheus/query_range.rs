use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use astranetmon_auth::ReadMetrics;
use astranetmon_promql::Steps;

use super::answer::range;
use super::load::evaluated;
use super::parameters::{Parameters, invalid};
use super::query::parsed;
use super::schemas::{PrometheusQueryRangeForm, PrometheusResultAnswer};
use crate::{ApiError, ApiState, Authorized};

/// Steps of a range at most, as in Prometheus.
const MOST_STEPS: usize = 11_000;

fn steps(given: &Parameters) -> Result<Steps, ApiError> {
    let needed = |name: &str, value: Option<i64>| value.ok_or_else(|| invalid(name, "it is needed here"));
    let start = needed("start", given.time("start")?)?;
    let end = needed("end", given.time("end")?)?;
    let step = needed("step", given.length("step")?)?;
    let steps = Steps::every(step, start, end);
    let steps = steps.ok_or_else(|| invalid("end", "end timestamp must not be before start timestamp"))?;
    if steps.count() > MOST_STEPS {
        return Err(ApiError::BadRequest(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
                .to_owned(),
        ));
    }
    Ok(steps)
}

async fn answer(
    caller: &Authorized<ReadMetrics>,
    given: &Parameters,
    state: &ApiState,
) -> Result<HttpResponse, ApiError> {
    let (query, steps) = (parsed(given)?, steps(given)?);
    if !query.is_steppable() {
        let reason = "invalid expression type for range query, must be Scalar or instant Vector";
        return Err(invalid("query", reason));
    }
    let (lookback, limit) = (given.length("lookback_delta")?, given.limit()?);
    Ok(range(evaluated(query, steps, lookback, caller.scope(), state).await?, &steps, limit))
}

/// Answer a PromQL query over a range of time
///
/// What Prometheus answers at `/api/v1/query_range`: the query's value at each step from `start` to `end`, both included.
#[utoipa::path(
    operation_id = "prometheus_query_range",
    tag = "prometheus",
    params(
        ("query" = String, Query, description = "PromQL.", example = "rate(astranetmon_network_receive_bytes_total[5m])"),
        ("start" = String, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795429618"),
        ("end" = String, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795433218"),
        ("step" = String, Query, description = "Seconds, or a length of time; at most 11,000 of them.", example = "1m"),
        ("lookback_delta" = Option<String>, Query, description = "For how long a sample is believed at least.", example = "5m"),
        ("limit" = Option<String>, Query, description = "Series at most.", example = "1000"),
    ),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((status = 200, description = "The query's values.", body = PrometheusResultAnswer)),
)]
#[get("/query_range")]
pub(crate) async fn query_range(
    caller: Authorized<ReadMetrics>,
    given: Parameters,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    answer(&caller, &given, &state).await
}

by_form! {
    /// Answer a PromQL query over a range of time, by a form
    ///
    /// The same with its parameters in the body, for long queries.
    query_range_by_form = "prometheus_query_range_by_form", "/query_range", PrometheusQueryRangeForm, "The query's values.", PrometheusResultAnswer
}
