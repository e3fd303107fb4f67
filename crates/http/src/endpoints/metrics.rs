use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use astranetmon_auth::{ReadMetrics, Scope};
use astranetmon_domain::{Limit, MetricPosition, PageRequest};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::aggregate_list::AggregateListQuery;
use super::record_list::{MetricListQuery, Metrics, WalkOrigin};
use crate::conditional::{Canonical, Freshness, Tagged, answer};
use crate::encode::{AggregateRows, ListBody, MetricRows};
use crate::wire::MetricList;
use crate::{ApiError, ApiState, Authorized};

/// What is asked for.
#[derive(Debug)]
pub(crate) enum MetricsQuery {
    /// What agents measured, as they measured it.
    Samples(MetricListQuery),
    /// Figures of intervals.
    Aggregates(AggregateListQuery),
}

impl Tagged for MetricsQuery {
    type Permission = ReadMetrics;

    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let origin = WalkOrigin::read_list::<Metrics>(request)?;
        if AggregateListQuery::is_asked(&origin.query) {
            AggregateListQuery::of(origin, request, state).map(Self::Aggregates)
        } else {
            MetricListQuery::of(origin, request, state).map(Self::Samples)
        }
    }

    fn describe(&self, asked: &mut Canonical) {
        match self {
            Self::Samples(query) => query.describe(asked),
            Self::Aggregates(query) => query.describe(asked),
        }
    }

    fn freshness(&self) -> Freshness {
        match self {
            Self::Samples(query) => query.freshness(),
            Self::Aggregates(query) => query.freshness(),
        }
    }
}

impl FromRequest for MetricsQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state)))
    }
}

impl IntoParams for MetricsQuery {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        MetricListQuery::into_params(parameter_in)
    }
}

/// Query metrics
///
/// What agents measured of their hosts (processor, memory, disk, network), newest first, then by agent.
///
/// With `interval` or `points`, `metrics` holds a `MetricAggregate` for each interval in which there are metrics instead,
/// newest first, then by agent or group, and `total` counts these.
#[utoipa::path(
    operation_id = "list_metrics",
    tag = "metrics",
    params(MetricsQuery),
    security(("api_key" = ["read:metrics"]), ("session" = [])),
    responses((
        status = 200,
        description = "Metrics.",
        content(
            (MetricList = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        ),
    )),
)]
#[get("/metrics")]
pub(crate) async fn metrics(
    authorized: Authorized<ReadMetrics>,
    query: MetricsQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let scope = authorized.scope();
    let make = async || match &query {
        MetricsQuery::Samples(query) => samples(scope, query, &state).await,
        MetricsQuery::Aggregates(query) => aggregates(scope, query, &state).await,
    };
    answer(&query, scope, &state, make).await
}

async fn samples(
    scope: &Scope<ReadMetrics>,
    query: &MetricListQuery,
    state: &ApiState,
) -> Result<HttpResponse, ApiError> {
    if let Some(after) = query.arrived_after {
        let first = PageRequest::new(Limit::SMALLEST, None);
        let total = state.storage.metric_page(scope, &query.filter, &first).await?.total;
        let arrivals = state.storage.metric_arrivals(scope, &query.filter, after, query.page.limit).await?;
        let rows = MetricRows::new(arrivals.rows);
        return Ok(query.arrived(rows, total, (arrivals.until, arrivals.more), state).await);
    }
    let page = state.storage.metric_page(scope, &query.filter, &query.page).await?;
    let last = page.columns.len().checked_sub(1).filter(|_| page.more);
    let last = last.map(|row| MetricPosition {
        timestamp: page.columns.timestamp(row),
        agent_id: page.columns.agent_id(row).clone(),
    });
    let next = last.and_then(|last| query.behind(last, state));
    Ok(ListBody::new(MetricRows::new(page.columns), query.shape, page.total, next).respond().await)
}

async fn aggregates(
    scope: &Scope<ReadMetrics>,
    query: &AggregateListQuery,
    state: &ApiState,
) -> Result<HttpResponse, ApiError> {
    let page = state.storage.metric_aggregates(scope, &query.aggregates, &query.page).await?;
    let last = page.rows.last().filter(|_| page.more).map(|row| row.position.clone());
    let next = last.and_then(|last| query.behind(last, state));
    let rows = AggregateRows::new(&query.aggregates, page.rows);
    Ok(ListBody::new(rows, query.shape, page.total, next).respond().await)
}
