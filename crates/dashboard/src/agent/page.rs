use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_domain::{Agent, AgentFilter, AgentId, Limit, PageRequest, RecordFilter, TimeRange, UserRole};
use astranetmon_http::{ApiError, SignedIn};
use serde::Deserialize;

use super::facts::facts;
use super::traces::{TargetTraces, traces};
use crate::DashboardState;
use crate::format::{self, Moment};
use crate::health::HealthView;
use crate::names::{labels, names};
use crate::page::{Page, Section, render};
use crate::range::{Range, RangeQuery, SPANS, Span};
use crate::speedtests::SpeedtestRow;

/// Speed tests below the chart.
const NEWEST_SPEEDTESTS: u32 = 8;

/// A chart's place on the page; `agent.js` knows what it draws.
struct ChartPlace {
    id: &'static str,
    title: &'static str,
    /// Drawn only if there is something to draw.
    is_optional: bool,
}

const CHARTS: [ChartPlace; 7] = [
    ChartPlace { id: "cpu", title: "CPU", is_optional: false },
    ChartPlace { id: "memory", title: "Memory", is_optional: false },
    ChartPlace { id: "network", title: "Network", is_optional: false },
    ChartPlace { id: "latency", title: "Latency", is_optional: false },
    ChartPlace { id: "disk", title: "Disk usage", is_optional: false },
    ChartPlace { id: "disk-io", title: "Disk throughput", is_optional: false },
    ChartPlace { id: "temperature", title: "Temperature", is_optional: true },
];

#[derive(Template)]
#[template(path = "agent.html")]
struct AgentPage {
    page: Page,
    id: AgentId,
    name: String,
    hostname: Option<String>,
    status: &'static str,
    seen: Option<Moment>,
    labels: Vec<String>,
    facts: Vec<(&'static str, String)>,
    /// How the agent itself is; empty for one that never said it.
    health: Vec<(&'static str, String)>,
    /// What of that needs a look.
    warnings: Vec<String>,
    manages: bool,
    range: Range,
    spans: [Span; 5],
    /// What the inputs of a chosen range show at first: RFC 3339.
    ends: [String; 2],
    charts: [ChartPlace; 7],
    speedtests: Vec<SpeedtestRow>,
    speedtest_total: u64,
    targets: Vec<TargetTraces>,
}

#[derive(Deserialize)]
struct AgentQuery {
    #[serde(flatten)]
    range: RangeQuery,
    trace: Option<String>,
}

#[get("/agents/{id}")]
pub(super) async fn agent_page(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
    id: web::Path<String>,
    query: web::Query<AgentQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = state.api.clock().now();
    let range = Range::of(&query.range, "24h", now)?;
    let id = AgentId::parse(&id).map_err(|_| ApiError::NotFound)?;
    let storage = state.api.storage().as_ref();
    let agent: Agent = storage.agent_find(&signed_in.reads()?, &id).await?.ok_or(ApiError::NotFound)?;
    let filter = RecordFilter { agent: AgentFilter::One(id.clone()), range: TimeRange::ALL };
    let limit = Limit::new(NEWEST_SPEEDTESTS).unwrap_or(Limit::LARGEST);
    let tests = storage.speedtest_page(&signed_in.reads()?, &filter.into(), &PageRequest::new(limit, None)).await?;
    let targets = traces(storage, &signed_in.reads()?, &id, query.trace.as_deref(), now).await?;
    let health = storage.agent_health(&signed_in.reads_account()?).await?;
    let health = HealthView::of(health.iter().find(|health| health.agent_id == id), now);
    let (name, hostname) = names(&agent);
    let (start, end) = range.ends(now);
    render(&AgentPage {
        page: Page::of(&signed_in, Section::Overview),
        hostname,
        status: agent.status(now).as_str(),
        seen: agent.last_seen_at.map(|at| Moment::of(at, now)),
        labels: labels(&agent),
        facts: facts(&agent, now),
        health: health.facts(now),
        warnings: health.warnings(),
        manages: signed_in.user().role >= UserRole::Admin,
        range,
        spans: SPANS,
        ends: [format::machine_time(start), format::machine_time(end)],
        charts: CHARTS,
        speedtests: tests.rows.iter().map(|test| SpeedtestRow::of(test, &name, now)).collect(),
        speedtest_total: tests.total,
        targets,
        name,
        id,
    })
}
