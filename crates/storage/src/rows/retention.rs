use astranetmon_domain::{AccountId, Plan, Retention, Timestamp};
use diesel::prelude::*;

use super::{Result, foreign};
use crate::StorageError;
use crate::repository::{IngestRetention, RetentionSetting};
use crate::schema::account;

/// What an account row says of retention.
#[derive(Queryable, Selectable)]
#[diesel(table_name = account)]
pub(crate) struct RetentionRow {
    plan: String,
    raw_days: Option<i64>,
    hourly_days: Option<i64>,
    daily_days: Option<i64>,
    folded_before: i64,
}

impl RetentionRow {
    pub(crate) fn setting(&self) -> Result<RetentionSetting> {
        let plan: Plan = self.plan.parse().map_err(|_| foreign("an account's plan"))?;
        let chosen = match (self.raw_days, self.hourly_days, self.daily_days) {
            (Some(raw), Some(hourly), Some(daily)) => Some(chosen(raw, hourly, daily)?),
            _ => None,
        };
        Ok(RetentionSetting { plan: Retention::of_plan(plan), chosen })
    }

    pub(crate) fn for_ingest(&self) -> Result<IngestRetention> {
        let retention = self.setting()?.effective();
        Ok(IngestRetention { retention, folded_before: Timestamp::from_micros(self.folded_before) })
    }
}

fn chosen(raw: i64, hourly: i64, daily: i64) -> Result<Retention> {
    let days = |days: i64| u32::try_from(days).map_err(|_| foreign("days of retention"));
    Retention::new(days(raw)?, days(hourly)?, days(daily)?).map_err(|_| foreign("days of retention"))
}

/// A choice as it is stored; no days at all mean the plan's.
#[derive(AsChangeset)]
#[diesel(table_name = account, treat_none_as_null = true)]
pub(crate) struct RetentionChoice {
    raw_days: Option<i64>,
    hourly_days: Option<i64>,
    daily_days: Option<i64>,
}

impl RetentionChoice {
    /// # Errors
    /// [`StorageError::BeyondPlan`] if the choice is longer than `bound`.
    pub(crate) fn new(choice: Option<Retention>, bound: Retention) -> Result<Self> {
        if choice.is_some_and(|choice| !choice.is_within(bound)) {
            return Err(StorageError::BeyondPlan { most: bound });
        }
        let days = |days: fn(Retention) -> u32| choice.map(days).map(i64::from);
        Ok(Self {
            raw_days: days(Retention::raw_days),
            hourly_days: days(Retention::hourly_days),
            daily_days: days(Retention::daily_days),
        })
    }
}

/// What the audit log says was chosen.
pub(crate) fn retention_object(account_id: AccountId, choice: Option<Retention>) -> String {
    match choice {
        Some(choice) => format!("account:{account_id} days:{choice}"),
        None => format!("account:{account_id} days:as the plan"),
    }
}
