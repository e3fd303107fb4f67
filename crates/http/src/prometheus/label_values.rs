use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadMetrics;

use super::answer::limited;
use super::load::series_in;
use super::parameters::{Parameters, span};
use super::schemas::PrometheusLabelsAnswer;
use super::series::filters;
use crate::{ApiError, ApiState, Authorized};

/// A name as Prometheus 2 takes it.
fn is_label_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(fits) && !name.starts_with(|letter: char| letter.is_ascii_digit())
}

/// List values of a label
///
/// What Prometheus answers at `/api/v1/label/<name>/values`; the names of metrics are the values of `__name__`.
#[utoipa::path(
    operation_id = "prometheus_label_values",
    tag = "prometheus",
    params(
        ("name" = String, Path, description = "A label's name.", example = "agent_id"),
        ("match[]" = Option<Vec<String>>, Query, description = "A selector; may be repeated.", example = json!(["astranetmon_cpu_percent"])),
        ("start" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795429618"),
        ("end" = Option<String>, Query, description = "Seconds since 1970, or RFC 3339.", example = "1795433218"),
        ("limit" = Option<String>, Query, description = "Values at most.", example = "1000"),
    ),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((status = 200, description = "Values of the label.", body = PrometheusLabelsAnswer)),
)]
#[get("/label/{name}/values")]
pub(crate) async fn label_values(
    caller: Authorized<ReadMetrics>,
    name: Path<String>,
    given: Parameters,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    if !is_label_name(&name) {
        return Err(ApiError::BadRequest(format!("invalid label name: {:?}", name.as_str())));
    }
    let (filters, span, limit) = (filters(&given)?, span(&given)?, given.limit()?);
    let all = series_in(&filters, span, caller.scope(), &state).await?;
    let values: BTreeSet<&str> = all.iter().map(|labels| labels.get(&name)).filter(|value| !value.is_empty()).collect();
    Ok(limited(values.into_iter().collect(), limit))
}
