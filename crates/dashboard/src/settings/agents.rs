use std::collections::HashMap;

use actix_web::{HttpResponse, get, post, put, web};
use askama::Template;
use astranetmon_auth::EnrolmentRecord;
use astranetmon_domain::{Agent, AgentId, AgentStatus, EnrolmentTerms, Timestamp};
use astranetmon_http::{ApiError, SignedIn};
use astranetmon_storage::{AgentEdit, AgentHealth};
use serde::Deserialize;
use serde_json::json;

use super::enrolments::EnrolmentView;
use super::form::{name, refused, told};
use super::frame::{Frame, Moment, Tab};
use super::labels_field;
use crate::DashboardState;
use crate::health::HealthView;
use crate::names::{AgentNames, labels, names};
use crate::page::{Page, Section, render};

/// An agent as its row shows it.
pub(crate) struct AgentView {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    /// Where a person gave another name.
    pub(crate) hostname: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) is_disabled: bool,
    pub(crate) version: Option<String>,
    pub(crate) seen: Option<Moment>,
    pub(crate) labels: Vec<String>,
    pub(crate) health: HealthView,
    /// What the inputs of the form that changes it show at first, as JSON by their names.
    pub(crate) form: String,
}

impl AgentView {
    fn new(agent: &Agent, health: Option<&AgentHealth>, now: Timestamp) -> Self {
        let (shown_name, hostname) = names(agent);
        let status = agent.status(now);
        Self {
            name: shown_name,
            hostname,
            status: status.as_str(),
            is_disabled: status == AgentStatus::Disabled,
            seen: agent.last_seen_at.map(Moment::from),
            labels: labels(agent),
            health: HealthView::of(health, now),
            form: json!({ "name": agent.name, "labels": labels_field::lines(&agent.labels) }).to_string(),
            version: agent.facts.agent_version.clone(),
            id: agent.id.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "settings/agents.html")]
struct AgentsPage {
    page: Page,
    frame: Frame,
    /// Where agents reach the service; empty: where the page came from.
    origin: String,
    agents: Vec<AgentView>,
    live: Vec<EnrolmentView>,
    ended: Vec<EnrolmentView>,
    most_live: usize,
    most_uses: u32,
}

/// The account's agents, how they are, and the tokens that enrol more.
#[get("/settings/agents")]
pub(crate) async fn page(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    let (storage, now) = (state.api.storage(), state.api.clock().now());
    let scope = signed_in.reads_account()?;
    let agents = storage.agent_page(&signed_in.reads()?, None, None).await?.agents;
    let health = storage.agent_health(&scope).await?;
    let health: HashMap<_, _> = health.iter().map(|health| (&health.agent_id, health)).collect();
    let names = AgentNames::among(&agents);
    let enrolments = storage.enrolment_list(&scope).await?;
    let enrolments = enrolments.into_iter().map(|record| EnrolmentView::new(record, &names, now));
    let (live, ended) = enrolments.partition(|enrolment| enrolment.is_live);
    let mut agents: Vec<_> =
        agents.iter().map(|agent| AgentView::new(agent, health.get(&agent.id).copied(), now)).collect();
    agents.sort_by_cached_key(|agent| (agent.name.to_lowercase(), agent.id.clone()));
    render(&AgentsPage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::Agents),
        origin: state.api.settings().public_url.as_deref().unwrap_or_default().to_owned(),
        agents,
        live,
        ended,
        most_live: EnrolmentRecord::MAX_LIVE_PER_ACCOUNT,
        most_uses: EnrolmentTerms::MOST_USES,
    })
}

fn agent_id(text: &str) -> Result<AgentId, ApiError> {
    AgentId::parse(text).map_err(|_| ApiError::NotFound)
}

fn done(id: &AgentId, is_there: bool) -> Result<HttpResponse, ApiError> {
    if is_there { Ok(HttpResponse::Ok().json(json!({ "id": id.as_str() }))) } else { Err(ApiError::NotFound) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// None: it is called as its host is.
    name: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
}

/// Names and labels an agent.
#[put("/settings/agents/{id}")]
pub(crate) async fn edit(
    signed_in: SignedIn,
    id: web::Path<String>,
    form: web::Json<Edit>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let (id, form) = (agent_id(&id)?, form.into_inner());
    let alias = form.name.filter(|text| !text.trim().is_empty()).map(|text| name(Some(text))).transpose()?;
    let edit = AgentEdit { name: Some(alias), labels: Some(labels_field::labels(&form.labels)?) };
    let now = state.api.clock().now();
    done(&id, state.api.storage().agent_edit(&scope, &id, &edit, now).await.map_err(told)?)
}

async fn set_disabled(
    signed_in: &SignedIn,
    id: &str,
    disabled: bool,
    state: &DashboardState,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = agent_id(id)?;
    let now = state.api.clock().now();
    done(&id, state.api.storage().agent_set_disabled(&scope, &id, disabled, now).await?)
}

/// Takes nothing more from an agent, at once.
#[post("/settings/agents/{id}/disable")]
pub(crate) async fn disable(
    signed_in: SignedIn,
    id: web::Path<String>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    set_disabled(&signed_in, &id, true, &state).await
}

/// Takes from an agent what it sends, again.
#[post("/settings/agents/{id}/enable")]
pub(crate) async fn enable(
    signed_in: SignedIn,
    id: web::Path<String>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    set_disabled(&signed_in, &id, false, &state).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    /// The agent's id, as somebody typed it.
    confirmation: Option<String>,
}

/// Deletes an agent; what it measured goes in the background.
#[post("/settings/agents/{id}/delete")]
pub(crate) async fn remove(
    signed_in: SignedIn,
    id: web::Path<String>,
    form: web::Json<Delete>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = agent_id(&id)?;
    if form.confirmation.as_deref().map(str::trim) != Some(id.as_str()) {
        return Err(refused(format!("Type the agent's id to delete it: {id}")));
    }
    let now = state.api.clock().now();
    done(&id, state.api.storage().agent_delete(&scope, &id, now).await?)
}
