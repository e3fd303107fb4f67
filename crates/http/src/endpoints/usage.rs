use std::collections::HashMap;

use actix_web::web::{Data, ReqData};
use actix_web::{HttpResponse, get};
use astranetmon_domain::{Plan, Timestamp};
use astranetmon_ratelimit::{Quota, UsageCount};

use super::own_key::OwnKeyPrincipal;
use super::record_list::NoParameters;
use crate::encode::json_response;
use crate::quota_extension::CurrentQuota;
use crate::wire::{UsageHour, UsageRecord};
use crate::{ApiError, ApiState};

const HOURS: i64 = 24;

/// The hours up to that of `now`, oldest first, with the counts of each summed.
fn hours(counts: impl IntoIterator<Item = UsageCount>, now: Timestamp) -> Vec<UsageHour> {
    let mut by_hour: HashMap<Timestamp, (u64, u64)> = HashMap::new();
    for count in counts {
        let (served, refused) = by_hour.entry(count.hour).or_default();
        *served += count.served;
        *refused += count.refused;
    }
    let first = first_hour(now);
    (0..HOURS)
        .map(|hour| {
            let hour = first.plus_seconds(hour * 3_600);
            let (served_count, refused_count) = by_hour.get(&hour).copied().unwrap_or_default();
            UsageHour { hour, served_count, refused_count }
        })
        .collect()
}

const fn first_hour(now: Timestamp) -> Timestamp {
    now.hour_start().plus_seconds((1 - HOURS) * 3_600)
}

fn usage_record(plan: Plan, quota: Option<Quota>, hours: Vec<UsageHour>) -> UsageRecord {
    let this_hour = hours.last().map_or(0, |hour| hour.served_count);
    UsageRecord {
        plan: plan.into(),
        limit: quota.map(|quota| quota.limit),
        used: quota.map_or(this_hour, |quota| u64::from(quota.limit - quota.remaining.min(quota.limit))),
        remaining: quota.map(|quota| quota.remaining),
        reset_at: quota.map(|quota| quota.resets_at),
        window_seconds: Plan::WINDOW_SECONDS,
        hours,
    }
}

/// Read this key's use
///
/// How much of its plan limit the key has used that the request was made with, and its requests of the last 24 hours.
/// Needs no permission and costs no quota. A dashboard session has no key: 404.
#[utoipa::path(
    operation_id = "get_usage",
    tag = "key",
    security(("api_key" = [])),
    responses((status = 200, description = "The key's use.", body = UsageRecord)),
)]
#[get("/usage")]
pub(crate) async fn usage(
    own: OwnKeyPrincipal,
    _: NoParameters,
    quota: ReqData<CurrentQuota>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let (now, key_id) = (state.clock.now(), own.principal.key.id);
    let stored = state.storage.usage_by_hour(&own.scope, key_id, first_hour(now)).await?;
    let hours = hours(stored.into_iter().chain(state.usage.pending(key_id)), now);
    Ok(json_response(&usage_record(own.principal.plan, quota.0, hours)))
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{AccountId, ApiKeyId};

    use super::*;

    #[test]
    fn stored_and_pending_counts_of_an_hour_are_summed_over_24_hours() {
        let now = Timestamp::from_seconds(100 * 3_600 + 1_800);
        let count = |hour: i64, served, refused| UsageCount {
            account_id: AccountId(1),
            key_id: ApiKeyId(1),
            hour: Timestamp::from_seconds(hour * 3_600),
            served,
            refused,
            last_used_at: now,
        };
        let hours = hours([count(100, 1, 2), count(100, 10, 20), count(77, 5, 0), count(76, 9, 9)], now);
        assert_eq!(hours.len(), 24);
        assert_eq!((hours[0].hour, hours[0].served_count), (Timestamp::from_seconds(77 * 3_600), 5));
        assert_eq!((hours[23].served_count, hours[23].refused_count), (11, 22));
        let unlimited = usage_record(Plan::Enterprise, None, hours);
        assert_eq!((unlimited.used, unlimited.limit, unlimited.remaining), (11, None, None));
    }
}
