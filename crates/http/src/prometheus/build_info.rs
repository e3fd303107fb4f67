use actix_web::{HttpResponse, get};
use astranetmon_auth::ReadMetrics;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::success;
use super::schemas::PrometheusBuildInfoAnswer;
use crate::Authorized;

/// Which Prometheus's API is spoken: Grafana decides by it what it may ask.
const PROMETHEUS_VERSION: &str = "2.55.0";

/// What serves here.
#[derive(Serialize, ToSchema)]
#[schema(as = PrometheusBuildInfo)]
pub(super) struct BuildInfo {
    /// The version of Prometheus whose API is spoken.
    version: &'static str,
    /// The program and its own version.
    application: &'static str,
}

/// Say which Prometheus's API is spoken
///
/// What Prometheus answers at `/api/v1/status/buildinfo`.
#[utoipa::path(
    operation_id = "prometheus_build_info",
    tag = "prometheus",
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((status = 200, description = "Versions.", body = PrometheusBuildInfoAnswer)),
)]
#[get("/status/buildinfo")]
pub(crate) async fn build_info(_: Authorized<ReadMetrics>) -> HttpResponse {
    let application = concat!("AstraNetmon ", env!("CARGO_PKG_VERSION"));
    success(BuildInfo { version: PROMETHEUS_VERSION, application })
}
