use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_auth::ApiKeyRecord;
use astranetmon_http::{ApiError, SignedIn};

use super::account::plan_limit;
use super::frame::{Frame, Tab};
use super::keys::{KeyView, PermissionView, permission_views};
use super::usage_chart::first_hour;
use crate::DashboardState;
use crate::page::{Page, Section, render};

#[derive(Template)]
#[template(path = "settings/alerts.html")]
struct AlertsPage {
    page: Page,
    frame: Frame,
    /// Where callers reach the API; empty: where the page came from.
    api_origin: String,
    plan_limit: String,
    live: Vec<KeyView>,
    ended: Vec<KeyView>,
    most_keys: usize,
    permissions: [PermissionView; 4],
}

/// API keys, and what is told when something is wrong.
#[get("/settings/alerts")]
pub(crate) async fn page(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    let (storage, now) = (state.api.storage(), state.api.clock().now());
    let scope = signed_in.reads_account()?;
    let account = state.api.account_of(&signed_in).await?;
    let usage = storage.usage_of_account(&scope, first_hour(now)).await?;
    let keys = storage.api_key_list(&scope).await?;
    let keys = keys.into_iter().map(|key| KeyView::new(key, &usage, account.plan, now));
    let (live, ended) = keys.partition(KeyView::is_live);
    render(&AlertsPage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::Alerts),
        api_origin: state.api.settings().public_url.as_deref().unwrap_or_default().to_owned(),
        plan_limit: plan_limit(account.plan),
        live,
        ended,
        most_keys: ApiKeyRecord::MAX_LIVE_PER_ACCOUNT,
        permissions: permission_views(),
    })
}
