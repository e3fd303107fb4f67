use actix_web::{HttpResponse, delete, get, web};
use askama::Template;
use astranetmon_auth::SessionRecord;
use astranetmon_domain::SessionId;
use astranetmon_http::{ApiError, SignedIn};
use serde_json::json;

use super::browser_name::browser_name;
use super::frame::{Frame, Moment, Tab};
use crate::DashboardState;
use crate::page::{Page, Section, render};

/// A session as its row shows it.
pub(crate) struct SessionView {
    pub(crate) id: SessionId,
    pub(crate) browser: String,
    pub(crate) user_agent: String,
    pub(crate) address: String,
    pub(crate) began: Moment,
    pub(crate) last_seen: Moment,
    pub(crate) ends: Moment,
    pub(crate) is_this_one: bool,
}

#[derive(Template)]
#[template(path = "settings/sessions.html")]
struct SessionsPage {
    page: Page,
    frame: Frame,
    sessions: Vec<SessionView>,
    idle_minutes: i64,
    longest_hours: i64,
}

/// The reader's own sessions.
#[get("/settings/sessions")]
pub(crate) async fn page(signed_in: SignedIn, state: web::Data<DashboardState>) -> Result<HttpResponse, ApiError> {
    let now = state.api.clock().now();
    let storage = state.api.storage();
    let sessions = storage.session_list(&signed_in.own_user()?, signed_in.user().id, now).await?;
    let current = signed_in.session().id;
    let view = |session: SessionRecord| SessionView {
        id: session.id,
        browser: browser_name(session.user_agent.as_deref()),
        ends: session.ends_at().into(),
        user_agent: session.user_agent.unwrap_or_default(),
        address: session.address.unwrap_or_else(|| "unknown".to_owned()),
        began: session.created_at.into(),
        last_seen: session.last_seen_at.into(),
        is_this_one: session.id == current,
    };
    let mut sessions: Vec<_> = sessions.into_iter().map(view).collect();
    sessions.sort_by_key(|session| !session.is_this_one);
    render(&SessionsPage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::Sessions),
        sessions,
        idle_minutes: SessionRecord::IDLE_SECONDS / 60,
        longest_hours: SessionRecord::LONGEST_SECONDS / 3_600,
    })
}

/// Ends all of the caller's sessions but the one that calls.
#[delete("/settings/sessions")]
pub(crate) async fn end_others(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let (storage, now) = (state.api.storage(), state.api.clock().now());
    let (scope, user_id) = (signed_in.own_user()?, signed_in.user().id);
    let mut ended = 0;
    for session in storage.session_list(&scope, user_id, now).await? {
        if session.id != signed_in.session().id {
            ended += u32::from(storage.session_end(&scope, user_id, session.id, now).await?);
        }
    }
    Ok(HttpResponse::Ok().json(json!({ "ended": ended })))
}

/// Ends one of the caller's sessions.
#[delete("/settings/sessions/{id}")]
pub(crate) async fn end(
    signed_in: SignedIn,
    id: web::Path<i64>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let id = SessionId(id.into_inner());
    let (storage, now) = (state.api.storage(), state.api.clock().now());
    if !storage.session_end(&signed_in.own_user()?, signed_in.user().id, id, now).await? {
        return Err(ApiError::NotFound);
    }
    Ok(HttpResponse::Ok().json(json!({ "ended": 1 })))
}
