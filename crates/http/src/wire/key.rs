use astranetmon_auth::{ApiKeyRecord, Permission};
use astranetmon_domain::{ApiKeyId, Plan, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{display, moment, optional_moment};

/// What a plan is called. More values may come; a client treats one that it does not know as unknown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Plan)]
pub(crate) enum PlanName {
    /// 100 requests an hour and key.
    Starter,
    /// 1,000 requests an hour and key.
    Professional,
    /// No quota.
    Enterprise,
}

impl From<Plan> for PlanName {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Starter => Self::Starter,
            Plan::Professional => Self::Professional,
            Plan::Enterprise => Self::Enterprise,
        }
    }
}

/// What a key may read. More values may come; a client treats one that it does not know as unknown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Permission)]
pub(crate) enum PermissionName {
    /// Agents.
    #[serde(rename = "read:agents")]
    Agents,
    /// Metrics.
    #[serde(rename = "read:metrics")]
    Metrics,
    /// Speed tests.
    #[serde(rename = "read:speedtests")]
    Speedtests,
    /// Traceroutes.
    #[serde(rename = "read:traceroutes")]
    Traceroutes,
}

impl From<Permission> for PermissionName {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::ReadAgents => Self::Agents,
            Permission::ReadMetrics => Self::Metrics,
            Permission::ReadSpeedtests => Self::Speedtests,
            Permission::ReadTraceroutes => Self::Traceroutes,
        }
    }
}

/// The key that the request was made with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyRecord {
    /// Names the key; not a secret.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "7")]
    pub(crate) id: ApiKeyId,
    /// Given by a person.
    #[schema(example = "nightly report")]
    pub(crate) name: String,
    /// First four characters of its random part.
    #[schema(example = "a1B2")]
    pub(crate) hint: String,
    /// What it may read.
    pub(crate) permissions: Vec<PermissionName>,
    /// Plan of its account.
    pub(crate) plan: PlanName,
    /// When it was made.
    #[serde(serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) created_at: Timestamp,
    /// When it ends by itself; `null` for never.
    #[serde(serialize_with = "optional_moment")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) expires_at: Option<Timestamp>,
    /// Its last use; `null` if it was never used.
    #[serde(serialize_with = "optional_moment")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-23T11:26:58.123Z")]
    pub(crate) last_used_at: Option<Timestamp>,
}

impl KeyRecord {
    /// The key, last used at `last_used_at`.
    pub(crate) fn new(key: &ApiKeyRecord, plan: Plan, last_used_at: Option<Timestamp>) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            hint: key.hint.as_str().to_owned(),
            permissions: key.permissions.iter().map(PermissionName::from).collect(),
            plan: plan.into(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at,
        }
    }
}
