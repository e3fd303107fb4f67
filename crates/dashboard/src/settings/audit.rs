use actix_web::{HttpResponse, get, web};
use askama::Template;
use astranetmon_domain::Timestamp;
use astranetmon_http::{ApiError, SignedIn};
use astranetmon_storage::{AuditEntry, AuditPosition};
use serde::Deserialize;

use super::audit_sentence::Names;
use super::frame::{Frame, Moment, Tab};
use crate::DashboardState;
use crate::page::{Page, Section, render};

/// Entries of one page.
const ENTRIES: u32 = 100;

/// An entry as its row shows it.
pub(crate) struct EntryView {
    pub(crate) at: Moment,
    pub(crate) actor: String,
    pub(crate) deed: String,
    /// As the log keeps it.
    pub(crate) action: String,
}

#[derive(Template)]
#[template(path = "settings/audit.html")]
struct AuditPage {
    page: Page,
    frame: Frame,
    entries: Vec<EntryView>,
    older: Option<String>,
    is_first: bool,
}

#[derive(Deserialize)]
struct AuditQuery {
    /// The entry behind which the page begins.
    after: Option<String>,
}

/// A position as addresses carry it: `1795433218000000.7`.
fn position_text(position: AuditPosition) -> String {
    format!("{}.{}", position.at.as_micros(), position.id)
}

/// The inverse; whatever is no position is the beginning.
fn position(text: &str) -> Option<AuditPosition> {
    let (micros, id) = text.split_once('.')?;
    Some(AuditPosition { at: Timestamp::from_micros(micros.parse().ok()?), id: id.parse().ok()? })
}

/// What was done in the account, newest first.
#[get("/settings/audit")]
pub(crate) async fn page(
    signed_in: SignedIn,
    query: web::Query<AuditQuery>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let storage = state.api.storage();
    let scope = signed_in.reads_account()?;
    let agents = storage.agent_page(&signed_in.reads()?, None, None).await?.agents;
    let names = Names::new(&storage.user_list(&scope).await?)
        .with_keys(&storage.api_key_list(&scope).await?)
        .with_agents(&agents)
        .with_enrolments(&storage.enrolment_list(&scope).await?);
    let after = query.after.as_deref().and_then(position);
    let log = storage.audit_page(&scope, after, ENTRIES).await?;
    let view = |entry: AuditEntry| EntryView {
        at: entry.at.into(),
        actor: names.actor(&entry),
        deed: names.deed(&entry),
        action: entry.action,
    };
    render(&AuditPage {
        page: Page::of(&signed_in, Section::Settings),
        frame: Frame::of(&signed_in, Tab::Audit),
        entries: log.entries.into_iter().map(view).collect(),
        older: log.next.map(position_text),
        is_first: after.is_none(),
    })
}
