//! An account full of old samples, and the job that ends them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_auth::{ManageAccount, Operator, Scope};
use astranetmon_domain::{Account, AgentId, MetricSample, Plan, Retention, Timestamp};
use astranetmon_storage::{Expired, RetentionCursor, Storage};

const OPERATOR: Operator = Operator::new("test");

/// 2026-11-15T00:00:00Z
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_794_700_800);

/// An account that keeps a day of everything, with samples of `agents` a minute, `minutes` of them, of which the last
/// lies 40 days back.
pub(crate) async fn full_account(storage: &Arc<dyn Storage>, agents: usize, minutes: i64) -> Account {
    let name = "owner".parse().expect("a name");
    let owner = storage.account_create(&OPERATOR, &name, Plan::Starter, NOW).await.expect("made");
    let manage: Scope<ManageAccount> = Scope::system(owner.id, "test");
    let day = Retention::new(1, 1, 1).expect("a retention");
    storage.retention_set(&manage, Some(day), NOW).await.expect("chosen");
    let ids: Vec<AgentId> =
        (0..agents).map(|agent| AgentId::parse(&format!("agent-{agent}")).expect("an id")).collect();
    let newest = NOW.plus_seconds(-40 * 86_400);
    let batch = i64::try_from(5_000 / agents.max(1)).expect("few").max(1);
    for first in (0..minutes).step_by(usize::try_from(batch).expect("positive")) {
        let times = first..(first + batch).min(minutes);
        let samples = times.flat_map(|minute| {
            ids.iter().map(move |id| MetricSample {
                cpu_percent: Some((minute % 100) as f64),
                memory_used_bytes: Some(minute * 1_000_003),
                ..MetricSample::new(id.clone(), newest.plus_seconds((minute - minutes) * 60))
            })
        });
        let scope = Scope::system(owner.id, "test");
        storage.metric_append(&scope, samples.collect(), NOW).await.expect("appended");
    }
    owner
}

/// A whole run; what went, and the longest step.
pub(crate) async fn expire(storage: &Arc<dyn Storage>) -> (Expired, Duration) {
    let ttl = Duration::from_secs(3_600);
    let lease = storage.lease_acquire(&OPERATOR, "retention", "test", ttl, NOW).await.expect("asked").expect("free");
    let (mut gone, mut longest) = (Expired::default(), Duration::ZERO);
    let mut next = Some(RetentionCursor::default());
    while let Some(cursor) = next {
        let begun_at = Instant::now();
        let step = storage.retention_step(&lease, &cursor, NOW).await.expect("a step");
        longest = longest.max(begun_at.elapsed());
        gone += step.gone;
        next = step.next;
    }
    (gone, longest)
}
