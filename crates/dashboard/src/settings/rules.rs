use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, post, put, web};
use astranetmon_domain::{
    AgentAlertState, AgentId, AlertAgents, AlertChannel, AlertRule, AlertRuleId, AlertSeverity, AlertState, Timestamp,
};
use astranetmon_http::{ApiError, SignedIn};
use serde_json::json;

use super::form::{id_in_path, told};
use super::frame::Moment;
use super::rule_form::{RuleForm, condition_text};
use crate::DashboardState;
use crate::names::AgentNames;

/// An agent for which a rule is not ok.
pub(crate) struct AgentStateView {
    pub(crate) agent: String,
    /// `firing`, `pending`
    pub(crate) state: &'static str,
    /// Of its badge.
    pub(crate) class: &'static str,
    pub(crate) since: Moment,
}

/// A rule as its row shows it.
pub(crate) struct RuleView {
    pub(crate) id: AlertRuleId,
    pub(crate) name: String,
    pub(crate) severity: &'static str,
    pub(crate) severity_class: &'static str,
    pub(crate) condition: String,
    pub(crate) agents: String,
    pub(crate) channels: Vec<String>,
    pub(crate) enabled: bool,
    /// `ok`, `pending`, `firing`, `off`
    pub(crate) state: &'static str,
    pub(crate) state_class: &'static str,
    /// Firing ones first.
    pub(crate) troubled: Vec<AgentStateView>,
    /// What fills the form, as JSON.
    pub(crate) form: String,
}

/// Of a badge.
pub(super) const fn severity_class(severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Info => "info",
        AlertSeverity::Warning => "warn",
        AlertSeverity::Critical => "bad",
    }
}

/// Name, class, beginning and rank of a state that is not ok.
fn trouble(state: &AlertState) -> Option<(&'static str, &'static str, Timestamp, u8)> {
    match state {
        AlertState::Ok => None,
        AlertState::Pending { since } => Some(("pending", "warn", *since, 1)),
        AlertState::Firing { since, .. } => Some(("firing", "bad", *since, 2)),
    }
}

/// The rules of an account as rows.
pub(super) fn rule_views(
    rules: Vec<AlertRule>,
    states: &[AgentAlertState],
    channels: &[AlertChannel],
    names: &AgentNames,
) -> Vec<RuleView> {
    let mut by_rule: HashMap<AlertRuleId, Vec<(&AgentId, &AlertState)>> = HashMap::new();
    for state in states {
        by_rule.entry(state.rule_id).or_default().push((&state.agent_id, &state.state));
    }
    let view = |rule: AlertRule| {
        let mut troubled: Vec<_> = by_rule
            .get(&rule.id)
            .into_iter()
            .flatten()
            .filter_map(|(agent, state)| Some((*agent, trouble(state)?)))
            .collect();
        troubled.sort_by_key(|(agent, (_, _, since, rank))| (std::cmp::Reverse(*rank), *since, agent.to_string()));
        let definition = &rule.definition;
        let (state, state_class) = match troubled.first() {
            _ if !definition.enabled => ("off", "neutral"),
            Some((_, (state, class, ..))) => (*state, *class),
            None => ("ok", "ok"),
        };
        let of_rule = channels.iter().filter(|channel| definition.channels.contains(&channel.id));
        RuleView {
            id: rule.id,
            name: definition.name.to_string(),
            severity: definition.severity.as_str(),
            severity_class: severity_class(definition.severity),
            condition: condition_text(&definition.condition),
            agents: match &definition.agents {
                AlertAgents::All => "all agents".to_owned(),
                AlertAgents::One(id) => names.name(id).to_owned(),
            },
            channels: of_rule.map(|channel| channel.name.to_string()).collect(),
            enabled: definition.enabled,
            state,
            state_class,
            troubled: troubled
                .into_iter()
                .map(|(agent, (state, class, since, _))| AgentStateView {
                    agent: names.name(agent).to_owned(),
                    state,
                    class,
                    since: since.into(),
                })
                .collect(),
            form: serde_json::to_string(&RuleForm::from(definition)).unwrap_or_default(),
        }
    };
    rules.into_iter().map(view).collect()
}

fn in_json(rule: &AlertRule) -> serde_json::Value {
    json!({ "id": rule.id.to_string(), "name": rule.definition.name.as_str(), "enabled": rule.definition.enabled })
}

/// Makes a rule.
#[post("/settings/alerts/rules")]
pub(crate) async fn create(
    signed_in: SignedIn,
    form: web::Json<RuleForm>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let definition = form.into_inner().definition()?;
    let now = state.api.clock().now();
    let rule = state.api.storage().alert_rule_create(&scope, &definition, now).await.map_err(told)?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(json!({ "rule": in_json(&rule) })))
}

/// Changes a rule; its states begin anew.
#[put("/settings/alerts/rules/{id}")]
pub(crate) async fn update(
    signed_in: SignedIn,
    id: web::Path<String>,
    form: web::Json<RuleForm>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let definition = form.into_inner().definition()?;
    let now = state.api.clock().now();
    let rule = state.api.storage().alert_rule_update(&scope, id_in_path(&id)?, &definition, now).await.map_err(told)?;
    Ok(HttpResponse::Ok().json(json!({ "rule": in_json(&rule.ok_or(ApiError::NotFound)?) })))
}

/// Switches a rule on or off.
#[post("/settings/alerts/rules/{id}/{switch:on|off}")]
pub(crate) async fn set_enabled(
    signed_in: SignedIn,
    path: web::Path<(String, String)>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let (id, switch) = path.into_inner();
    let now = state.api.clock().now();
    let rule = state.api.storage().alert_rule_set_enabled(&scope, id_in_path(&id)?, switch == "on", now).await?;
    Ok(HttpResponse::Ok().json(json!({ "rule": in_json(&rule.ok_or(ApiError::NotFound)?) })))
}

/// Deletes a rule; its history stays.
#[delete("/settings/alerts/rules/{id}")]
pub(crate) async fn remove(
    signed_in: SignedIn,
    id: web::Path<String>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    if !state.api.storage().alert_rule_delete(&scope, id_in_path(&id)?, state.api.clock().now()).await? {
        return Err(ApiError::NotFound);
    }
    Ok(HttpResponse::Ok().json(json!({ "deleted": true })))
}
