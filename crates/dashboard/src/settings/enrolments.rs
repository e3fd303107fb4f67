use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, post, web};
use astranetmon_auth::{EnrolmentRecord, EnrolmentState, EnrolmentToken, NewEnrolment};
use astranetmon_domain::{AgentId, EnrolmentId, EnrolmentTerms, Timestamp};
use astranetmon_http::{ApiError, SignedIn, seeded_by_system};
use serde::Deserialize;
use serde_json::json;

use super::form::{id_in_path, name, refused, sentence, told};
use super::frame::Moment;
use super::labels_field::labels;
use super::secret_answer::shown_once;
use crate::DashboardState;
use crate::names::{AgentNames, label_views};

/// An enrolment token as its row shows it.
pub(crate) struct EnrolmentView {
    pub(crate) id: EnrolmentId,
    pub(crate) name: String,
    /// `astra_enroll_ab12…`
    pub(crate) hint: String,
    /// The one agent that it is for.
    pub(crate) agent: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) use_count: u32,
    pub(crate) max_uses: u32,
    pub(crate) created: Moment,
    pub(crate) last_used: Option<Moment>,
    pub(crate) expires: Moment,
    /// `live`, `used up`, `expired`, `revoked`.
    pub(crate) state: &'static str,
    /// Of its badge.
    pub(crate) state_class: &'static str,
    pub(crate) is_live: bool,
}

impl EnrolmentView {
    pub(super) fn new(record: EnrolmentRecord, names: &AgentNames, now: Timestamp) -> Self {
        let state = record.state(now);
        let (state_name, state_class) = match state {
            EnrolmentState::Live => ("live", "ok"),
            EnrolmentState::UsedUp => ("used up", "info"),
            EnrolmentState::Expired { .. } => ("expired", "neutral"),
            EnrolmentState::Revoked { .. } => ("revoked", "bad"),
        };
        let terms = &record.terms;
        Self {
            id: record.id,
            name: terms.name().to_owned(),
            hint: format!("{}{}…", EnrolmentToken::PREFIX, record.hint.as_str()),
            agent: terms.agent_id().map(|id| names.name(id).to_owned()),
            labels: label_views(terms.labels()),
            use_count: record.use_count,
            max_uses: terms.max_uses(),
            created: record.created_at.into(),
            last_used: record.last_used_at.map(Moment::from),
            expires: terms.expires_at().into(),
            state: state_name,
            state_class,
            is_live: state == EnrolmentState::Live,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: Option<String>,
    /// For this one alone, to be enrolled again.
    agent_id: Option<String>,
    max_uses: Option<u32>,
    expires_in_hours: Option<i64>,
    #[serde(default)]
    labels: Vec<String>,
}

fn terms(form: NewToken, now: Timestamp) -> Result<EnrolmentTerms, ApiError> {
    let agent_id = form.agent_id.as_deref().map(AgentId::parse).transpose();
    let agent_id = agent_id.map_err(|_| refused("There is no such agent: choose one of the list"))?;
    let hours = form.expires_in_hours.unwrap_or(EnrolmentTerms::DEFAULT_SECONDS / 3_600);
    let ends = hours.checked_mul(3_600).filter(|&seconds| seconds <= EnrolmentTerms::LONGEST_SECONDS);
    let ends = ends.ok_or_else(|| refused("A token ends within 30 days, such as in 24 hours"))?;
    let (name, labels) = (name(form.name)?, labels(&form.labels)?);
    let uses = form.max_uses.unwrap_or(1);
    EnrolmentTerms::new(&name, agent_id, labels, uses, now.plus_seconds(ends), now)
        .map_err(|invalid| refused(sentence(&invalid)))
}

/// Makes an enrolment token and shows it, this once.
#[post("/settings/enrolments")]
pub(crate) async fn create(
    signed_in: SignedIn,
    form: web::Json<NewToken>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let now = state.api.clock().now();
    let terms = terms(form.into_inner(), now)?;
    let token = EnrolmentToken::generate(&mut seeded_by_system()?);
    let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms };
    let record = state.api.storage().enrolment_create(&scope, &new, now).await.map_err(told)?;
    let body = json!({
        "id": record.id.0,
        "token": token.reveal(),
        "name": record.terms.name(),
        "hint": record.hint.as_str(),
        "agent_id": record.terms.agent_id().map(AgentId::as_str),
        "max_uses": record.terms.max_uses(),
        "expires_at": record.terms.expires_at().to_string(),
    });
    Ok(shown_once(StatusCode::CREATED, &body))
}

/// Ends an enrolment token; agents that came by it stay.
#[delete("/settings/enrolments/{id}")]
pub(crate) async fn revoke(
    signed_in: SignedIn,
    id: web::Path<String>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = EnrolmentId(id_in_path(&id)?);
    let revoked = state.api.storage().enrolment_revoke(&scope, id, state.api.clock().now()).await?;
    if revoked { Ok(HttpResponse::Ok().json(json!({ "id": id.0 }))) } else { Err(ApiError::NotFound) }
}
