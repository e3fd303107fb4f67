use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use std::future::{Ready, ready};

use astranetmon_auth::ReadAgents;
use astranetmon_domain::{Agent, Limit, TimeRange};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::record_list::{WalkOrigin, bad_limit};
use crate::cursor::{AgentPosition, Cursor};
use crate::encode::json_response;
use crate::openapi::parameter;
use crate::query::{CURSOR, LIMIT};
use crate::wire::{AgentList, AgentRecord};
use crate::{ApiError, ApiState, Authorized};

const MOST_ROWS: u32 = 10_000;

/// How many agents, and from where on.
#[derive(Debug)]
pub(crate) struct AgentListQuery {
    limit: Option<Limit<MOST_ROWS>>,
    after: Option<AgentPosition>,
    origin: WalkOrigin,
}

impl AgentListQuery {
    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let origin = WalkOrigin::read(request, &[LIMIT, CURSOR])?;
        let limit = origin.query.get(LIMIT).map(|text| Limit::parse(text).map_err(|_| bad_limit())).transpose()?;
        let cursor: Option<Cursor<AgentPosition>> = origin.cursor(state)?;
        Ok(Self { limit, after: cursor.map(|cursor| cursor.after), origin })
    }

    fn link_behind(&self, last: &Agent, state: &ApiState) -> Option<HeaderValue> {
        let after = AgentPosition { hostname: last.facts.hostname.clone(), id: last.id.clone() };
        self.origin.link(&Cursor { range: TimeRange::ALL, after }, state)
    }
}

impl FromRequest for AgentListQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state)))
    }
}

impl IntoParams for AgentListQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter::limit(None, MOST_ROWS), parameter::cursor()]
    }
}

/// List agents
///
/// Every agent of the account, by hostname, then id; fewer if `limit` is given.
#[utoipa::path(
    operation_id = "list_agents",
    tag = "agents",
    params(AgentListQuery),
    security(("api_key" = ["read:agents"]), ("session" = [])),
    responses((status = 200, description = "Agents.", body = AgentList)),
)]
#[get("/agents")]
pub(crate) async fn agents(
    authorized: Authorized<ReadAgents>,
    query: AgentListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let after = query.after.as_ref().map(|after| (after.hostname.as_str(), &after.id));
    let page = state.storage.agent_page(authorized.scope(), after, query.limit.map(Limit::rows)).await?;
    let now = state.clock.now();
    let agents: Vec<_> = page.agents.iter().map(|agent| AgentRecord::new(agent, now)).collect();
    let link = page.agents.last().filter(|_| page.more).and_then(|last| query.link_behind(last, &state));
    Ok(json_response(&AgentList { agents, total: page.total }, link))
}
