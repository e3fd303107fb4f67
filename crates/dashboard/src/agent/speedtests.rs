//! An agent's speed tests as chart data.

use actix_web::{HttpResponse, get, web};
use astranetmon_domain::{AgentFilter, AgentId, Limit, PageRequest, RecordFilter};
use astranetmon_http::{ApiError, SignedIn};
use serde::Serialize;

use crate::DashboardState;
use crate::range::{Range, RangeQuery};

/// Speed tests, oldest first, column by column; `null` where a test failed.
#[derive(Default, Serialize)]
struct SpeedtestColumns {
    /// First moment of the span, in seconds since the epoch.
    start: i64,
    /// First moment after it.
    end: i64,
    /// In seconds since the epoch.
    t: Vec<i64>,
    download_mbps: Vec<Option<f64>>,
    upload_mbps: Vec<Option<f64>>,
    ping_ms: Vec<Option<f64>>,
}

#[get("/data/agents/{id}/speedtests")]
pub(super) async fn speedtest_data(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
    id: web::Path<String>,
    query: web::Query<RangeQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = state.api.clock().now();
    let range = Range::of(&query, "30d", now)?;
    let id = AgentId::parse(&id).map_err(|_| ApiError::NotFound)?;
    let storage = state.api.storage();
    if storage.agent_find(&signed_in.reads()?, &id).await?.is_none() {
        return Err(ApiError::NotFound);
    }
    let filter = RecordFilter { agent: AgentFilter::One(id), range: range.time_range(now) };
    let page = PageRequest::new(Limit::LARGEST, None);
    let tests = storage.speedtest_page(&signed_in.reads()?, &filter.into(), &page).await?.rows;
    let (start, end) = range.ends(now);
    let mut columns =
        SpeedtestColumns { start: start.as_seconds(), end: end.as_seconds(), ..SpeedtestColumns::default() };
    for test in tests.iter().rev() {
        columns.t.push(test.timestamp.as_seconds());
        columns.download_mbps.push(test.download_mbps);
        columns.upload_mbps.push(test.upload_mbps);
        columns.ping_ms.push(test.ping_ms);
    }
    Ok(HttpResponse::Ok().json(columns))
}
