//! The version of an account's data: what conditional requests rest on.

use std::sync::Arc;

use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{
    Account, AccountId, AgentFacts, Heartbeat, MetricSample, RecordFilter, Speedtest, Traceroute,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::agents::add;
use super::enrolment::enroll;
use super::records::Record;
use super::retention::{brief, lease, run};
use super::{NOVEMBER, account, agent_id, scope};
use crate::{AgentEdit, Storage, StorageError};

async fn version(storage: &Arc<dyn Storage>, owner: &Account) -> i64 {
    storage.data_version(&scope::<ReadMetrics>(owner).see_changes()).await.expect("a version")
}

/// Looks at the version after each thing that is done.
struct Watch<'a> {
    storage: &'a Arc<dyn Storage>,
    owner: &'a Account,
    last: i64,
}

impl<'a> Watch<'a> {
    async fn begin(storage: &'a Arc<dyn Storage>, owner: &'a Account) -> Self {
        Self { storage, owner, last: version(storage, owner).await }
    }

    async fn rose(&mut self, what: &str) {
        let now = version(self.storage, self.owner).await;
        assert!(now > self.last, "{what}: {now} after {}", self.last);
        self.last = now;
    }

    async fn stayed(&self, what: &str) {
        assert_eq!(version(self.storage, self.owner).await, self.last, "{what}");
    }
}

/// Whatever is acknowledged is in the version that is read next, though it was read a moment ago.
pub async fn the_version_rises_with_everything_that_readers_see(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let mut watch = Watch::begin(&storage, &owner).await;
    let others = version(&storage, &stranger).await;
    let (a, manage) = (agent_id("a"), scope(&owner));
    let ingest = scope::<Ingest>(&owner);

    add(&storage, &owner, "a", "web").await;
    watch.rose("a new agent").await;
    add(&storage, &owner, "a", "web-2").await;
    watch.rose("another hostname").await;
    let edit = AgentEdit { name: Some(Some("front".to_owned())), labels: None };
    storage.agent_edit(&manage, &a, &edit, NOVEMBER).await.expect("edited");
    watch.rose("a name").await;
    for disabled in [true, false] {
        storage.agent_set_disabled(&manage, &a, disabled, NOVEMBER).await.expect("switched");
        watch.rose("a switch").await;
    }
    storage.agent_seen(&ingest, &a, NOVEMBER).await.expect("seen");
    watch.rose("a report").await;
    let beat = Heartbeat {
        agent_id: a.clone(),
        facts: AgentFacts { hostname: "web-3".to_owned(), ..AgentFacts::default() },
        public_ip: None,
        spool_row_count: None,
        spool_oldest_at: None,
        dropped_row_count: None,
        cost_cpu_percent: None,
        cost_memory_bytes: None,
        sent_at: None,
    };
    storage.agent_heartbeat(&ingest, &beat, NOVEMBER.plus_seconds(1)).await.expect("beating");
    watch.rose("a heartbeat").await;

    let sample = MetricSample::new(a.clone(), NOVEMBER);
    MetricSample::append(&storage, &owner, vec![sample.clone()]).await.expect("appended");
    watch.rose("a sample").await;
    let fuller = MetricSample { cpu_percent: Some(1.0), ..sample };
    MetricSample::append(&storage, &owner, vec![fuller.clone()]).await.expect("appended");
    watch.rose("a filled sample").await;
    let mut rng = StdRng::seed_from_u64(1);
    let speedtest = Speedtest::random(&mut rng, a.clone(), NOVEMBER);
    Speedtest::append(&storage, &owner, vec![speedtest.clone()]).await.expect("appended");
    watch.rose("a speed test").await;
    let traceroute = Traceroute::random(&mut rng, a.clone(), NOVEMBER);
    Traceroute::append(&storage, &owner, vec![traceroute.clone()]).await.expect("appended");
    watch.rose("a traceroute").await;

    MetricSample::append(&storage, &owner, vec![fuller]).await.expect("known");
    Speedtest::append(&storage, &owner, vec![speedtest]).await.expect("known");
    Traceroute::append(&storage, &owner, vec![traceroute]).await.expect("known");
    MetricSample::page(&storage, &owner, &RecordFilter::ALL, 1, None).await;
    watch.stayed("nothing new").await;

    storage.agent_delete(&manage, &a, NOVEMBER).await.expect("deleted");
    watch.rose("a deleted agent").await;
    let lease = lease(&storage, NOVEMBER).await;
    run(&storage, &lease).await;
    watch.rose("what a deleted agent left").await;
    assert_eq!(version(&storage, &stranger).await, others);
    let nobody = Scope::<ReadMetrics>::system(AccountId(i64::MAX), "test").see_changes();
    assert!(matches!(storage.data_version(&nobody).await, Err(StorageError::Missing { .. })));
}

/// An agent that repeats what is known has reported all the same, and is seen to have.
pub async fn the_version_rises_when_an_agent_repeats_itself(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let token = enroll(&storage, &owner, 1, "a").await;
    let mut watch = Watch::begin(&storage, &owner).await;
    let agent = storage.agent_token_find(&token.hash()).await.expect("answered").expect("an agent");
    let ingest = agent.ingest();
    let mut rng = StdRng::seed_from_u64(1);
    let metric = MetricSample::random(&mut rng, agent_id("a"), NOVEMBER);
    let speedtest = Speedtest::random(&mut rng, agent_id("a"), NOVEMBER);
    let traceroute = Traceroute::random(&mut rng, agent_id("a"), NOVEMBER);
    for round in 0..3 {
        let now = NOVEMBER.plus_seconds(round);
        let appended = storage.metric_append(&ingest, vec![metric.clone()], now).await.expect("appended");
        assert_eq!(appended.known, u64::from(round > 0));
        watch.rose("a metric").await;
        storage.speedtest_append(&ingest, vec![speedtest.clone()], now).await.expect("appended");
        watch.rose("a speed test").await;
        storage.traceroute_append(&ingest, vec![traceroute.clone()], now).await.expect("appended");
        watch.rose("a traceroute").await;
        let seen = storage.agent_find(&scope(&owner), &agent_id("a")).await.expect("found").expect("there");
        assert_eq!(seen.last_seen_at, Some(now));
    }
}

/// Old samples go into summaries, old tests go.
pub async fn the_version_rises_when_something_expires(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    let mut watch = Watch::begin(&storage, &owner).await;
    let mut rng = StdRng::seed_from_u64(1);
    let long_ago = NOVEMBER.plus_seconds(-300 * 86_400);
    let lease = lease(&storage, NOVEMBER).await;
    let a = agent_id("a");
    MetricSample::append(&storage, &owner, vec![MetricSample::random(&mut rng, a.clone(), long_ago)]).await.expect("a");
    watch.rose("a sample").await;
    assert_eq!(run(&storage, &lease).await.samples_folded, 1);
    watch.rose("a sample that went").await;
    Speedtest::append(&storage, &owner, vec![Speedtest::random(&mut rng, a.clone(), long_ago)]).await.expect("a");
    watch.rose("a speed test").await;
    assert_eq!(run(&storage, &lease).await.speedtests, 1);
    watch.rose("a speed test that went").await;
    Traceroute::append(&storage, &owner, vec![Traceroute::random(&mut rng, a, long_ago)]).await.expect("appended");
    watch.rose("a traceroute").await;
    assert_eq!(run(&storage, &lease).await.traceroutes, 1);
    watch.rose("a traceroute that went").await;
    run(&storage, &lease).await;
    watch.stayed("nothing is due").await;
}
