use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use std::future::{Ready, ready};

use astranetmon_auth::{ReadAgents, Scope};
use astranetmon_domain::{Agent, AgentFilter, AgentStatus, Limit, TimeRange};
use astranetmon_storage::AgentPage;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::latest::LatestScopes;
use super::record_list::{WalkOrigin, agent_filter, bad_limit, choice, describe_shape};
use crate::conditional::{Canonical, Tagged, answer};
use crate::cursor::{AgentPosition, Cursor, Position};
use crate::encode::{AgentRows, ListBody, NextPage, Shape};
use crate::openapi::parameter;
use crate::query::{AGENT_ID, AGENT_STATUS, CURSOR, FIELDS, FORMAT, INCLUDE, LABEL, LIMIT};
use crate::wire::{AgentList, AgentRecord, AgentWithLatest};
use crate::{ApiError, ApiState, Authorized};

const MOST_ROWS: u32 = 10_000;

/// How many agents, and from where on.
#[derive(Debug)]
pub(crate) struct AgentListQuery {
    filter: AgentFilter,
    status: Option<AgentStatus>,
    limit: Option<Limit<MOST_ROWS>>,
    after: Option<AgentPosition>,
    /// What of the newest records is asked for and may be read.
    latest: Option<LatestScopes>,
    shape: Shape,
    origin: WalkOrigin,
}

impl Tagged for AgentListQuery {
    type Permission = ReadAgents;

    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let origin =
            WalkOrigin::read(request, &[AGENT_ID, LABEL, AGENT_STATUS, LIMIT, CURSOR, INCLUDE, FIELDS, FORMAT])?;
        let include = match origin.query.get(INCLUDE) {
            None => false,
            Some("latest") => true,
            Some(_) => {
                return Err(ApiError::BadRequest(
                    "Invalid include: what can be included is latest, for example include=latest".to_owned(),
                ));
            }
        };
        let names: &'static [&'static str] = if include { &AgentWithLatest::FIELDS } else { &AgentRecord::FIELDS };
        let shape = origin.shape(request, names)?;
        let include = include && shape.fields.has(AgentRecord::FIELDS.len());
        let latest = include.then(|| LatestScopes::of(request)).transpose()?;
        let limit = origin.query.get(LIMIT).map(|text| Limit::parse(text).map_err(|_| bad_limit())).transpose()?;
        let filter = agent_filter(&origin.query)?;
        let status = choice(&origin.query, AGENT_STATUS, &AgentStatus::ALL, AgentStatus::as_str)?;
        let cursor: Option<Cursor<AgentPosition>> = origin.cursor(state)?;
        Ok(Self { filter, status, limit, after: cursor.map(|cursor| cursor.after), latest, shape, origin })
    }

    fn describe(&self, asked: &mut Canonical) {
        self.origin.describe(asked);
        describe_shape(&self.shape, asked);
        asked.number(i64::from(self.latest.is_some()));
        self.latest.iter().for_each(|latest| latest.describe(asked));
        asked.number(self.limit.map_or(0, |limit| i64::from(limit.rows())));
        asked.written(|bytes| self.after.iter().for_each(|after| after.write(bytes)));
    }

    async fn passed(&self, scope: &Scope<ReadAgents>, state: &ApiState, version: i64) -> Result<i64, ApiError> {
        state.gone_offline(scope, version).await
    }
}

impl AgentListQuery {
    fn behind(&self, last: &Agent, state: &ApiState) -> Option<NextPage> {
        let after = AgentPosition { hostname: last.facts.hostname.clone(), id: last.id.clone() };
        self.origin.next_page(&Cursor { range: TimeRange::ALL, after }, state)
    }

    /// The agents of the page. Those that are chosen among all are chosen here, since one list of all is kept in memory.
    async fn page(&self, scope: &Scope<ReadAgents>, state: &ApiState) -> Result<AgentPage, ApiError> {
        let after = self.after.as_ref().map(|after| (after.hostname.as_str(), &after.id));
        if self.filter == AgentFilter::All && self.status.is_none() {
            return Ok(state.storage.agent_page(scope, after, self.limit.map(Limit::rows)).await?);
        }
        let now = state.clock.now();
        let all = state.storage.agent_page(scope, None, None).await?.agents;
        let mut chosen: Vec<&Agent> = all
            .iter()
            .filter(|agent| {
                self.filter.matches(&agent.id, &agent.labels)
                    && self.status.is_none_or(|status| agent.status(now) == status)
            })
            .collect();
        let total = chosen.len() as u64;
        chosen.retain(|agent| after.is_none_or(|after| (agent.facts.hostname.as_str(), &agent.id) > after));
        let limit = self.limit.map_or(usize::MAX, |limit| limit.rows() as usize);
        let more = chosen.len() > limit;
        Ok(AgentPage { agents: chosen.into_iter().take(limit).cloned().collect(), total, more })
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
        vec![
            parameter::agent_id(),
            parameter::label(),
            parameter::choice(AGENT_STATUS, "Only agents of this status.", AgentStatus::ALL.map(AgentStatus::as_str)),
            parameter::limit(None, MOST_ROWS),
            parameter::cursor(),
            parameter::include(),
            parameter::fields(&AgentRecord::FIELDS),
            parameter::format(),
        ]
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
    responses((
        status = 200,
        description = "Agents.",
        content(
            (AgentList = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        ),
    )),
)]
#[get("/agents")]
pub(crate) async fn agents(
    authorized: Authorized<ReadAgents>,
    query: AgentListQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let scope = authorized.scope();
    let make = async || {
        let page = query.page(scope, &state).await?;
        let next = page.agents.last().filter(|_| page.more).and_then(|last| query.behind(last, &state));
        let latest = match &query.latest {
            Some(latest) => Some(latest.read(&state).await?),
            None => None,
        };
        let rows = AgentRows::new(page.agents, latest, state.clock.now());
        Ok(ListBody::new(rows, query.shape, page.total, next).respond().await)
    };
    answer(&query, scope, &state, make).await
}
