use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, post, web};
use astranetmon_auth::{ApiKey, ApiKeyRecord, ApiKeyState, NewApiKey, Permission, PermissionSet};
use astranetmon_domain::{ApiKeyId, Plan, Timestamp, parse_moment};
use astranetmon_http::{ApiError, SignedIn, seeded_by_system};
use astranetmon_ratelimit::UsageCount;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::form::{name, refused, told};
use super::frame::Moment;
use super::secret_answer::shown_once;
use super::usage_chart::UsageChart;
use crate::DashboardState;

/// Hours that a replaced key may live on.
const LONGEST_OVERLAP: i64 = 168;
/// Ten years.
const LONGEST_LIFE_DAYS: i64 = 3_650;

/// A permission as the pages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PermissionView {
    /// `read:agents`
    pub(crate) name: &'static str,
    pub(crate) reads: &'static str,
}

/// Every permission, in the contract's order.
pub(super) fn permission_views() -> [PermissionView; 4] {
    Permission::ALL.map(permission_view)
}

const fn permission_view(permission: Permission) -> PermissionView {
    let reads = match permission {
        Permission::ReadAgents => "agents",
        Permission::ReadMetrics => "metrics",
        Permission::ReadSpeedtests => "speed tests",
        Permission::ReadTraceroutes => "traceroutes",
    };
    PermissionView { name: permission.as_str(), reads }
}

/// A key as its row shows it.
pub(crate) struct KeyView {
    pub(crate) id: ApiKeyId,
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) permissions: Vec<PermissionView>,
    pub(crate) reads_everything: bool,
    pub(crate) created: Moment,
    pub(crate) last_used: Option<Moment>,
    pub(crate) expires: Option<Moment>,
    /// `live`, `ends soon`, `expired`, `revoked`.
    pub(crate) state: &'static str,
    /// Of its badge.
    pub(crate) state_class: &'static str,
    /// Of a key that is dead.
    pub(crate) ended: Option<Moment>,
    pub(crate) usage: UsageChart,
}

/// A key that ends within this time is marked, in seconds.
const SOON: i64 = 3 * 86_400;

impl KeyView {
    pub(super) fn new(record: ApiKeyRecord, usage: &[UsageCount], plan: Plan, now: Timestamp) -> Self {
        let (state, state_class, ended) = match record.state(now) {
            ApiKeyState::Live if record.expires_at.is_some_and(|at| at <= now.plus_seconds(SOON)) => {
                ("ends soon", "warn", None)
            }
            ApiKeyState::Live => ("live", "ok", None),
            ApiKeyState::Expired { at } => ("expired", "neutral", Some(at)),
            ApiKeyState::Revoked { at } => ("revoked", "bad", Some(at)),
        };
        let counts: Vec<_> = usage.iter().filter(|count| count.key_id == record.id).copied().collect();
        Self {
            id: record.id,
            hint: format!("astra_{}…", record.hint.as_str()),
            permissions: record.permissions.iter().map(permission_view).collect(),
            reads_everything: record.permissions == PermissionSet::ALL,
            created: record.created_at.into(),
            last_used: record.last_used_at.map(Moment::from),
            expires: record.expires_at.map(Moment::from),
            state,
            state_class,
            ended: ended.map(Moment::from),
            usage: UsageChart::new(&counts, plan, now),
            name: record.name,
        }
    }

    pub(crate) const fn is_live(&self) -> bool {
        self.ended.is_none()
    }
}

/// A key that is shown this once.
#[derive(Serialize)]
struct ShownKey<'a> {
    id: i64,
    key: &'a str,
    name: &'a str,
    hint: &'a str,
    permissions: Vec<&'static str>,
    expires_at: Option<String>,
    /// A path that the key may read.
    r#try: &'static str,
}

fn shown(secret: &ApiKey, record: &ApiKeyRecord) -> HttpResponse {
    let first = record.permissions.iter().next();
    let body = ShownKey {
        id: record.id.0,
        key: secret.reveal(),
        name: &record.name,
        hint: record.hint.as_str(),
        permissions: record.permissions.iter().map(Permission::as_str).collect(),
        expires_at: record.expires_at.map(|at| at.to_string()),
        r#try: match first {
            Some(Permission::ReadMetrics) => "/api/v1/metrics",
            Some(Permission::ReadSpeedtests) => "/api/v1/speedtests",
            Some(Permission::ReadTraceroutes) => "/api/v1/traceroutes",
            Some(Permission::ReadAgents) | None => "/api/v1/agents",
        },
    };
    shown_once(StatusCode::CREATED, &body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: Option<String>,
    #[serde(default)]
    permissions: Vec<String>,
    expires_in_days: Option<i64>,
    expires_at: Option<String>,
}

fn permissions(names: &[String]) -> Result<PermissionSet, ApiError> {
    let set: Result<PermissionSet, _> = names.iter().map(|name| name.parse::<Permission>()).collect();
    match set {
        Ok(set) if set != PermissionSet::NONE => Ok(set),
        Ok(_) => Err(refused("Choose at least one thing that the key may read")),
        Err(unknown) => Err(refused(format!("Unknown permission: {unknown}"))),
    }
}

fn expiry(days: Option<i64>, at: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let at = match (days, at) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(refused("A key ends after a number of days or at a time, not both")),
        (Some(days), None) if (1..=LONGEST_LIFE_DAYS).contains(&days) => now.plus_seconds(days * 86_400),
        (Some(_), None) => return Err(refused("A key ends after 1 to 3650 days, such as 90")),
        (None, Some(text)) => {
            parse_moment(text, now).map_err(|_| refused("A key ends at a time such as 2027-01-31T12:00:00Z"))?
        }
    };
    if at > now { Ok(Some(at)) } else { Err(refused("A key's end lies in the future")) }
}

/// Makes a key and shows it, this once.
#[post("/settings/alerts/keys")]
pub(crate) async fn create(
    signed_in: SignedIn,
    form: web::Json<NewKey>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let (form, now) = (form.into_inner(), state.api.clock().now());
    let name = name(form.name)?;
    let permissions = permissions(&form.permissions)?;
    let expires_at = expiry(form.expires_in_days, form.expires_at.as_deref(), now)?;
    let secret = ApiKey::generate(&mut seeded_by_system()?);
    let new = NewApiKey { hash: secret.hash(), hint: secret.hint(), name, permissions, expires_at };
    let record = state.api.storage().api_key_create(&scope, &new, now).await.map_err(told)?;
    Ok(shown(&secret, &record))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roll {
    overlap_hours: Option<i64>,
}

/// Replaces a live key and shows its successor, this once.
#[post("/settings/alerts/keys/{id}/roll")]
pub(crate) async fn roll(
    signed_in: SignedIn,
    id: web::Path<i64>,
    form: web::Json<Roll>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let (id, now) = (ApiKeyId(id.into_inner()), state.api.clock().now());
    let overlap = form.overlap_hours.filter(|hours| (0..=LONGEST_OVERLAP).contains(hours));
    let overlap = overlap.ok_or_else(|| refused("The old key lives on for 0 to 168 hours, such as 24"))?;
    let storage = state.api.storage();
    let keys = storage.api_key_list(&scope.read_account()).await?;
    let old = keys.into_iter().find(|key| key.id == id && key.state(now) == ApiKeyState::Live);
    let old = old.ok_or(ApiError::NotFound)?;
    let secret = ApiKey::generate(&mut seeded_by_system()?);
    let successor = NewApiKey {
        hash: secret.hash(),
        hint: secret.hint(),
        name: old.name,
        permissions: old.permissions,
        expires_at: old.expires_at,
    };
    let old_ends_at = now.plus_seconds(overlap * 3_600);
    let record = storage.api_key_roll(&scope, id, &successor, old_ends_at, now).await.map_err(told)?;
    Ok(shown(&secret, &record.ok_or(ApiError::NotFound)?))
}

/// Ends a key for good; acts within a second.
#[delete("/settings/alerts/keys/{id}")]
pub(crate) async fn revoke(
    signed_in: SignedIn,
    id: web::Path<i64>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let id = ApiKeyId(id.into_inner());
    let record = state.api.storage().api_key_revoke(&scope, id, state.api.clock().now()).await?;
    let record = record.ok_or(ApiError::NotFound)?;
    let revoked_at = record.revoked_at.map(|at| at.to_string());
    Ok(HttpResponse::Ok().json(json!({ "id": record.id.0, "revoked_at": revoked_at })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_end_lies_ahead_and_is_given_once() {
        let now = Timestamp::from_seconds(1_795_433_218);
        assert_eq!(expiry(None, None, now).expect("never"), None);
        assert_eq!(expiry(Some(90), None, now).expect("an end"), Some(now.plus_seconds(90 * 86_400)));
        let at = expiry(None, Some("2027-01-31T12:00:00.000Z"), now).expect("an end").expect("a time");
        assert_eq!(at.to_string(), "2027-01-31T12:00:00.000Z");
        for (days, at) in [
            (Some(0), None),
            (Some(-1), None),
            (Some(3_651), None),
            (Some(1), Some("2027-01-31")),
            (None, Some("soon")),
        ] {
            assert!(expiry(days, at, now).is_err(), "{days:?} {at:?}");
        }
        assert!(expiry(None, Some("2026-11-23T11:26:58Z"), now).is_err(), "now is not ahead");
    }

    #[test]
    fn a_key_reads_something_known() {
        let some = |names: &[&str]| permissions(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(some(&["read:metrics", "read:metrics"]).expect("a set").to_string(), "read:metrics");
        assert!(some(&[]).is_err() && some(&["write:agents"]).is_err());
    }
}
