//! The fleet at a glance: `/dashboard`, and its data for the page to renew itself.

mod row;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_domain::{AgentStatus, Timestamp, UserRole};
use astranetmon_http::{ApiError, SignedIn};
use serde::Serialize;

use crate::DashboardState;
use crate::page::{Page, Section, render};
use row::FleetRowView;

/// The fleet, as the page and its data show it.
#[derive(Serialize)]
struct Fleet {
    tiles: Tiles,
    rows: Vec<FleetRowView>,
}

/// How many agents are in which state.
#[derive(Default, Serialize)]
struct Tiles {
    total: usize,
    online: usize,
    offline: usize,
    pending: usize,
    disabled: usize,
    /// Agents whose path to a target changed within 24 hours.
    rerouted: usize,
}

impl Tiles {
    fn of(rows: &[FleetRowView], now: Timestamp) -> Self {
        let with = |status: AgentStatus| rows.iter().filter(|row| row.status == status.as_str()).count();
        let day_ago = now.plus_seconds(-86_400).as_seconds();
        Self {
            total: rows.len(),
            online: with(AgentStatus::Online),
            offline: with(AgentStatus::Offline),
            pending: with(AgentStatus::Pending),
            disabled: with(AgentStatus::Disabled),
            rerouted: rows.iter().filter(|row| row.route_sort.is_some_and(|at| at >= day_ago)).count(),
        }
    }
}

impl Fleet {
    async fn of(signed_in: &SignedIn, state: &DashboardState) -> Result<Self, ApiError> {
        let (agents, metrics) = (signed_in.reads()?, signed_in.reads()?);
        let (speedtests, traceroutes) = (signed_in.reads()?, signed_in.reads()?);
        let fleet = state.api.storage().fleet(&agents, &metrics, &speedtests, &traceroutes).await?;
        let now = state.api.clock().now();
        let mut rows: Vec<_> = fleet.iter().map(|row| FleetRowView::of(row, now)).collect();
        rows.sort_by_cached_key(|row| row.name.to_lowercase());
        Ok(Self { tiles: Tiles::of(&rows, now), rows })
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    fleet: Fleet,
    /// Whether the reader may make enrolment tokens.
    manages: bool,
}

#[get("")]
async fn overview(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    let fleet = Fleet::of(&signed_in, &state).await?;
    let manages = signed_in.user().role >= UserRole::Admin;
    render(&OverviewPage { page: Page::of(&signed_in, Section::Overview), fleet, manages })
}

#[get("/data/fleet")]
async fn fleet_data(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(Fleet::of(&signed_in, &state).await?))
}

pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services.service(overview).service(fleet_data);
}
