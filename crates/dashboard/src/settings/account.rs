use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use astranetmon_auth::{ApiKeyRecord, Password, SessionRecord};
use astranetmon_domain::{Plan, UserRole};
use astranetmon_http::{ApiError, SignedIn, change_password};
use serde::Deserialize;

use super::form::{refused, required};
use super::frame::{Frame, Moment, Tab};
use super::retention::RetentionView;
use crate::DashboardState;
use crate::format::grouped;
use crate::page::{Page, Section, render};

#[derive(Template)]
#[template(path = "settings/account.html")]
struct AccountPage {
    page: Page,
    frame: Frame,
    account: String,
    created: Moment,
    plan: &'static str,
    plan_limit: String,
    most_keys: usize,
    retention: RetentionView,
    email: String,
    role: &'static str,
    role_means: &'static str,
    member_since: Moment,
    idle_minutes: i64,
    longest_hours: i64,
    shortest: usize,
    longest: usize,
}

/// The account, its plan, and the person.
#[get("/settings")]
pub(crate) async fn page(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    let account = state.api.account_of(&signed_in).await?;
    let retention = state.api.storage().retention_of(&signed_in.reads_account()?).await?;
    let user = signed_in.user();
    render(&AccountPage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::Account),
        account: account.name.to_string(),
        created: account.created_at.into(),
        plan: plan_name(account.plan),
        plan_limit: plan_limit(account.plan),
        most_keys: ApiKeyRecord::MAX_LIVE_PER_ACCOUNT,
        retention: retention.into(),
        email: user.email.to_string(),
        role: user.role.as_str(),
        role_means: role_means(user.role),
        member_since: user.created_at.into(),
        idle_minutes: SessionRecord::IDLE_SECONDS / 60,
        longest_hours: SessionRecord::LONGEST_SECONDS / 3_600,
        shortest: Password::SHORTEST,
        longest: Password::LONGEST,
    })
}

const fn plan_name(plan: Plan) -> &'static str {
    match plan {
        Plan::Starter => "Starter",
        Plan::Professional => "Professional",
        Plan::Enterprise => "Enterprise",
    }
}

/// What a plan lets each key do, in one sentence.
pub(super) fn plan_limit(plan: Plan) -> String {
    match plan.hourly_limit() {
        Some(limit) => format!(
            "Each key makes up to {} requests an hour. The hour begins with a key’s first request; beyond the limit the \
             API answers 429 and says when to try again.",
            grouped(u64::from(limit))
        ),
        None => "Each key makes as many requests as it likes.".to_owned(),
    }
}

/// What a role may do, in one sentence.
pub(super) const fn role_means(role: UserRole) -> &'static str {
    match role {
        UserRole::Viewer => "Sees everything in the account and changes nothing but their own password and sessions.",
        UserRole::Admin => "Sees everything, and manages agents, API keys, alerts and everybody who is not an owner.",
        UserRole::Owner => "Sees and manages everything, the other owners included.",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    current: Option<String>,
    password: Option<String>,
}

/// Changes the caller's own password; their other sessions end.
#[post("/settings/password")]
pub(crate) async fn change_password_action(
    signed_in: SignedIn,
    form: web::Json<ChangePassword>,
    state: web::Data<DashboardState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let form = form.into_inner();
    let current = required(form.current, "Type your current password")?;
    let new = required(form.password, "Type the new password")?;
    match change_password(&state.api, &request, &signed_in, current, new).await {
        // 401 would mean that the session is over.
        Err(ApiError::WrongPassword) => Err(refused("That is not your current password")),
        answer => answer,
    }
}
