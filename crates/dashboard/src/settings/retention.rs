use actix_web::{HttpResponse, delete, post, web};
use astranetmon_domain::Retention;
use astranetmon_http::{ApiError, SignedIn};
use astranetmon_storage::RetentionSetting;
use serde::Deserialize;
use serde_json::json;

use super::form::{refused, told};
use crate::DashboardState;

/// A number of days as its input shows it.
pub(crate) struct DaysField {
    /// Of the input and of what is sent.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) kept: u32,
    /// What the plan keeps.
    pub(crate) most: u32,
}

/// How long data is kept, as the account's page shows it.
pub(crate) struct RetentionView {
    pub(crate) fields: [DaysField; 3],
    /// Whether the account chose less than its plan keeps.
    pub(crate) is_chosen: bool,
}

impl From<RetentionSetting> for RetentionView {
    fn from(setting: RetentionSetting) -> Self {
        let (kept, plan) = (setting.effective(), setting.plan);
        let field = |name, label, hint, days: fn(Retention) -> u32| DaysField {
            name,
            label,
            hint,
            kept: days(kept),
            most: days(plan),
        };
        Self {
            fields: [
                field("raw_days", "Samples", "Every metric as it came.", Retention::raw_days),
                field(
                    "hourly_days",
                    "Hourly summaries",
                    "What samples become; speed tests and traceroutes too.",
                    Retention::hourly_days,
                ),
                field("daily_days", "Daily summaries", "What hours become, then the end.", Retention::daily_days),
            ],
            is_chosen: setting.chosen.is_some(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    raw_days: Option<u32>,
    hourly_days: Option<u32>,
    daily_days: Option<u32>,
}

fn chosen(form: &Choice) -> Result<Retention, ApiError> {
    let whole = || refused("A number of days is 1 or more, such as 31");
    let days = |days: Option<u32>| days.ok_or_else(whole);
    let (raw, hourly, daily) = (days(form.raw_days)?, days(form.hourly_days)?, days(form.daily_days)?);
    Retention::new(raw, hourly, daily).map_err(|_| {
        refused(
            "Samples are kept for at least 1 day, hourly summaries at least as long, daily ones at least as long as \
             those, such as 31, 400 and 1100",
        )
    })
}

fn kept(retention: Option<Retention>) -> HttpResponse {
    let days = retention.map(|kept| json!([kept.raw_days(), kept.hourly_days(), kept.daily_days()]));
    HttpResponse::Ok().json(json!({ "days": days }))
}

/// Chooses how long the account's data is kept.
#[post("/settings/retention")]
pub(crate) async fn choose(
    signed_in: SignedIn,
    form: web::Json<Choice>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let choice = Some(chosen(&form)?);
    state.api.storage().retention_set(&scope, choice, state.api.clock().now()).await.map_err(told)?;
    Ok(kept(choice))
}

/// Keeps data as long as the plan does.
#[delete("/settings/retention")]
pub(crate) async fn follow_plan(
    signed_in: SignedIn,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    state.api.storage().retention_set(&scope, None, state.api.clock().now()).await.map_err(told)?;
    Ok(kept(None))
}
