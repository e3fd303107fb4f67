use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use astranetmon_auth::ReadMetrics;
use astranetmon_promql::{Query, Steps};

use super::answer::instant;
use super::load::evaluated;
use super::parameters::{Parameters, invalid, now};
use super::schemas::{PrometheusQueryForm, PrometheusResultAnswer};
use crate::{ApiError, ApiState, Authorized};

/// The query of a form.
pub(super) fn parsed(given: &Parameters) -> Result<Query, ApiError> {
    Query::parse(given.needed("query")?).map_err(|error| invalid("query", &error.to_string()))
}

async fn answer(
    caller: &Authorized<ReadMetrics>,
    given: &Parameters,
    state: &ApiState,
) -> Result<HttpResponse, ApiError> {
    let asked = parsed(given)?;
    let at = given.time("time")?.unwrap_or_else(|| now(state));
    let (lookback, limit) = (given.length("lookback_delta")?, given.limit()?);
    let answer = evaluated(asked, Steps::once(at), lookback, caller.scope(), state).await?;
    Ok(instant(&answer, at, limit))
}

/// Answer a PromQL query at one moment
///
/// What Prometheus answers at `/api/v1/query`. Metrics are called `astranetmon_` and the name of the field; their labels are
/// `agent_id` and the labels of the agent. Parameters that are not known are passed over.
#[utoipa::path(
    operation_id = "prometheus_query",
    tag = "prometheus",
    params(
        ("query" = String, Query, description = "PromQL.", example = "avg by (site) (astranetmon_cpu_percent)"),
        ("time" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339; now, unless given.", example = "1795433218"),
        ("lookback_delta" = Option<String>, Query, description = "For how long a sample is believed at least.", example = "5m"),
        ("limit" = Option<String>, Query, description = "Series at most.", example = "1000"),
    ),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((status = 200, description = "The query's value.", body = PrometheusResultAnswer)),
)]
#[get("/query")]
pub(crate) async fn query(
    caller: Authorized<ReadMetrics>,
    given: Parameters,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    answer(&caller, &given, &state).await
}

by_form! {
    /// Answer a PromQL query at one moment, by a form
    ///
    /// The same with its parameters in the body, for long queries.
    query_by_form = "prometheus_query_by_form", "/query", PrometheusQueryForm, "The query's value.", PrometheusResultAnswer
}
