//! Traceroutes across agents: `/dashboard/traceroutes`, and one of them: `/dashboard/traceroutes/{id}`.

mod comparison;
mod trace_view;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_auth::{ReadTraceroutes, Scope};
use astranetmon_domain::{AgentFilter, AgentId, Limit, PageRequest, RecordFilter, TimeRange, Traceroute, TracerouteId};
use astranetmon_http::{ApiError, SignedIn};
use astranetmon_storage::Storage;

use crate::DashboardState;
use crate::format::{self, Moment};
use crate::names::{AgentNames, names};
use crate::page::{Page, Section, render};
use crate::records::{ListQuery, ListView, Pager};

pub(crate) use trace_view::TraceView;
use trace_view::{Outcome, protocol_name};

/// So far back the trace before is looked for among those of the same agent.
const LOOKED_AT: u32 = 200;

struct TraceRow {
    id: String,
    agent_id: AgentId,
    agent_name: String,
    at: Moment,
    full_time: String,
    target: String,
    protocol: &'static str,
    outcome: Outcome,
    hop_count: usize,
    rtt: String,
    loss: String,
    is_changed: bool,
}

#[derive(Template)]
#[template(path = "traceroutes.html")]
struct TraceroutesPage {
    page: Page,
    list: ListView,
    agents: AgentNames,
    rows: Vec<TraceRow>,
    pager: Pager,
}

#[get("/traceroutes")]
async fn traceroutes(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = state.api.clock().now();
    let list = ListView::of(&query, now)?;
    let storage = state.api.storage().as_ref();
    let agents = AgentNames::of(storage, &signed_in.reads()?).await?;
    let traces = storage.traceroute_page(&signed_in.reads()?, &list.filter(now).into(), &list.page_request()).await?;
    let rows: Vec<_> = traces
        .rows
        .iter()
        .map(|trace| TraceRow {
            id: trace.id.to_string(),
            agent_id: trace.agent_id.clone(),
            agent_name: agents.name(&trace.agent_id).to_owned(),
            at: Moment::of(trace.timestamp, now),
            full_time: format::full_time(trace.timestamp),
            target: trace.target.clone(),
            protocol: protocol_name(trace),
            outcome: Outcome::of(trace.status),
            hop_count: trace.hops.len(),
            rtt: format::or_unknown(trace.rtt_ms, format::milliseconds),
            loss: format::or_unknown(trace.packet_loss_percent, format::percent),
            is_changed: trace.path_changed == Some(true),
        })
        .collect();
    let pager = list.pager(rows.len(), traces.total, traces.next);
    render(&TraceroutesPage { page: Page::of(&signed_in, Section::Traceroutes), list, agents, rows, pager })
}

#[derive(Template)]
#[template(path = "traceroute.html")]
struct TraceroutePage {
    page: Page,
    agent_id: AgentId,
    agent_name: String,
    trace: TraceView,
}

#[get("/traceroutes/{id}")]
async fn traceroute(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: TracerouteId = id.parse().map_err(|_| ApiError::NotFound)?;
    let storage = state.api.storage().as_ref();
    let scope = signed_in.reads()?;
    let trace = storage.traceroute_find(&scope, id).await?.ok_or(ApiError::NotFound)?;
    let before = trace_before(storage, &scope, &trace).await?;
    let agent = storage.agent_find(&signed_in.reads()?, &trace.agent_id).await?;
    let agent_name = agent.map_or_else(|| trace.agent_id.to_string(), |agent| names(&agent).0);
    render(&TraceroutePage {
        page: Page::of(&signed_in, Section::Traceroutes),
        agent_id: trace.agent_id.clone(),
        agent_name,
        trace: TraceView::of(&trace, before.as_ref(), state.api.clock().now()),
    })
}

/// The trace before in time of the same agent, target and protocol.
async fn trace_before(
    storage: &dyn Storage,
    scope: &Scope<ReadTraceroutes>,
    trace: &Traceroute,
) -> Result<Option<Traceroute>, ApiError> {
    let range = TimeRange { start: None, end: Some(trace.timestamp) };
    let filter = RecordFilter { agent: AgentFilter::One(trace.agent_id.clone()), range };
    let limit = Limit::new(LOOKED_AT).unwrap_or(Limit::LARGEST);
    let rows = storage.traceroute_page(scope, &filter.into(), &PageRequest::new(limit, None)).await?.rows;
    Ok(rows.into_iter().find(|before| before.target == trace.target && before.protocol == trace.protocol))
}

pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services.service(traceroutes).service(traceroute);
}
