use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_auth::ApiKeyRecord;
use astranetmon_domain::{AgentId, AlertChannel, AlertRule, AlertSeverity};
use astranetmon_http::{ApiError, SignedIn};
use serde::Deserialize;

use super::account::plan_limit;
use super::channels::ChannelView;
use super::frame::{Frame, Tab};
use super::history::{EVENTS, EventView, position, position_text};
use super::keys::{KeyView, PermissionView, permission_views};
use super::rule_form::{FieldView, field_views};
use super::rules::{RuleView, rule_views};
use super::usage_chart::first_hour;
use crate::DashboardState;
use crate::names::AgentNames;
use crate::page::{Page, Section, render};

#[derive(Template)]
#[template(path = "settings/alerts.html")]
struct AlertsPage {
    page: Page,
    frame: Frame,
    /// Where callers reach the API; empty: where the page came from.
    api_origin: String,
    plan_limit: String,
    /// What a bar of full height in a key's chart means.
    full_bar: &'static str,
    live: Vec<KeyView>,
    ended: Vec<KeyView>,
    most_keys: usize,
    permissions: [PermissionView; 4],
    rules: Vec<RuleView>,
    most_rules: usize,
    severities: Vec<&'static str>,
    fields: Vec<FieldView>,
    /// Ids and names.
    agents: Vec<(AgentId, String)>,
    channels: Vec<ChannelView>,
    most_channels: usize,
    events: Vec<EventView>,
    older_events: Option<String>,
    events_are_first: bool,
}

#[derive(Deserialize)]
struct AlertsQuery {
    /// The event behind which the history goes on.
    after: Option<String>,
}

/// API keys, and what is told when something is wrong.
#[get("/settings/alerts")]
pub(crate) async fn page(
    signed_in: SignedIn,
    query: web::Query<AlertsQuery>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let (storage, now) = (state.api.storage(), state.api.clock().now());
    let scope = signed_in.reads_account()?;
    let account = state.api.account_of(&signed_in).await?;
    let usage = storage.usage_of_account(&scope, first_hour(now)).await?;
    let keys = storage.api_key_list(&scope).await?;
    let keys = keys.into_iter().map(|key| KeyView::new(key, &usage, account.plan, now));
    let (live, ended) = keys.partition(KeyView::is_live);

    let alerts = signed_in.reads_alerts()?;
    let names = AgentNames::of(storage.as_ref(), &signed_in.reads()?).await?;
    let rules = storage.alert_rule_list(&alerts).await?;
    let states = storage.alert_state_list(&alerts).await?;
    let channels = storage.alert_channel_list(&alerts).await?;
    let after = query.after.as_deref().and_then(position);
    let history = storage.alert_event_page(&alerts, None, after, EVENTS).await?;
    render(&AlertsPage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::Alerts),
        api_origin: state.api.settings().public_url.as_deref().unwrap_or_default().to_owned(),
        plan_limit: plan_limit(account.plan),
        full_bar: match account.plan.hourly_limit() {
            Some(_) => "A full bar is that limit, or the busiest hour if that is more.",
            None => "A full bar is the busiest hour.",
        },
        live,
        ended,
        most_keys: ApiKeyRecord::MAX_LIVE_PER_ACCOUNT,
        permissions: permission_views(),
        rules: rule_views(rules, &states, &channels, &names),
        most_rules: AlertRule::MAX_PER_ACCOUNT,
        severities: AlertSeverity::ALL.iter().map(|severity| severity.as_str()).collect(),
        fields: field_views(),
        agents: names.choices().to_vec(),
        channels: channels.into_iter().map(ChannelView::from).collect(),
        most_channels: AlertChannel::MAX_PER_ACCOUNT,
        older_events: history.events.last().filter(|_| history.more).map(position_text),
        events: history.events.into_iter().map(EventView::from).collect(),
        events_are_first: after.is_none(),
    })
}
