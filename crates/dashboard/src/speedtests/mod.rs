//! Speed tests across agents: `/dashboard/speedtests`.

mod test_view;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_http::{ApiError, SignedIn};

use crate::DashboardState;
use crate::names::AgentNames;
use crate::page::{Page, Section, render};
use crate::records::{ListQuery, ListView, Pager};

pub(crate) use test_view::SpeedtestRow;

#[derive(Template)]
#[template(path = "speedtests.html")]
struct SpeedtestsPage {
    page: Page,
    list: ListView,
    agents: AgentNames,
    rows: Vec<SpeedtestRow>,
    pager: Pager,
}

#[get("/speedtests")]
async fn speedtests(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = state.api.clock().now();
    let list = ListView::of(&query, now)?;
    let storage = state.api.storage().as_ref();
    let agents = AgentNames::of(storage, &signed_in.reads()?).await?;
    let tests = storage.speedtest_page(&signed_in.reads()?, &list.filter(now).into(), &list.page_request()).await?;
    let rows: Vec<_> = tests.rows.iter().map(|test| SpeedtestRow::of(test, agents.name(&test.agent_id), now)).collect();
    let pager = list.pager(rows.len(), tests.total, tests.next);
    render(&SpeedtestsPage { page: Page::of(&signed_in, Section::Speedtests), list, agents, rows, pager })
}

pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services.service(speedtests);
}
