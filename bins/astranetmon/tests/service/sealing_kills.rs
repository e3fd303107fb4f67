//! A server is killed again and again while it seals samples: each of them is there, once.

use std::time::Duration;

use astranetmon_auth::{Operator, Scope};
use astranetmon_domain::{
    Account, AgentFilter, AgentId, Limit, MetricSample, Order, PageRequest, Plan, RecordFilter, TimeRange,
};
use astranetmon_storage::{Expired, RetentionCursor};
use rand::RngExt;

use crate::support::{Database, Kind, Office, Server, count, now, unforeseen};

const OPERATOR: Operator = Operator::new("test");
/// A day and a half, which is sealed in several pieces.
const SAMPLES: i64 = 2_160;
/// Whose samples come before each kill: more than are sealed until then.
const AGENTS: usize = 4;

/// Samples of an agent before this day, oldest first.
fn samples(agent: &str) -> Vec<MetricSample> {
    let (agent, until) = (AgentId::parse(agent).expect("an id"), now().as_seconds().div_euclid(86_400) * 86_400);
    let sample = |minute: i64| {
        let at = astranetmon_domain::Timestamp::from_seconds(until - (SAMPLES - minute) * 60);
        MetricSample { cpu_percent: Some((minute % 100) as f64), ..MetricSample::new(agent.clone(), at) }
    };
    (0..SAMPLES).map(sample).collect()
}

async fn stored(office: &Office, account: &Account, agent: &str) -> Vec<MetricSample> {
    let agent = AgentFilter::One(AgentId::parse(agent).expect("an id"));
    let filter = RecordFilter { agent, range: TimeRange::ALL };
    let page = PageRequest::new(Limit::LARGEST, None).in_order(Order::OldestFirst);
    let page = office.storage.metric_page(&Scope::system(account.id, "test"), &filter, &page).await.expect("metrics");
    (0..page.columns.len()).map(|row| page.columns.sample(row)).collect()
}

/// Takes the lease that the killed process holds still, and gives it back.
async fn end_lease(office: &Office) {
    let (ttl, later) = (Duration::from_secs(1), now().plus_seconds(60));
    for _ in 0..200 {
        // PostgreSQL goes by its own clock.
        let lease = office.storage.lease_acquire(&OPERATOR, "retention", "a test", ttl, later).await.expect("asked");
        if let Some(lease) = lease {
            office.storage.lease_release(&lease).await.expect("given back");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the lease of a killed process does not end");
}

/// What there is to do still.
async fn seal_the_rest(office: &Office) -> Expired {
    let (ttl, now) = (Duration::from_secs(600), now());
    let lease = office.storage.lease_acquire(&OPERATOR, "retention", "a test", ttl, now).await.expect("asked");
    let lease = lease.expect("nobody's");
    let (mut done, mut next) = (Expired::default(), Some(RetentionCursor::default()));
    while let Some(cursor) = next {
        let step = office.storage.retention_step(&lease, &cursor, now).await.expect("a step");
        done += step.gone;
        next = step.next;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sample_is_there_once_after_kills_while_they_are_sealed() {
    let kills = count(5, 20);
    let mut random = unforeseen();
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let mut office = database.office().await;
        let account = office.account("kills", Plan::Enterprise).await;
        let ingest = Scope::system(account.id, "test");
        let agents: Vec<String> = (0..AGENTS * kills).map(|number| format!("agent-{number}")).collect();
        for agents in agents.chunks(AGENTS) {
            for agent in agents {
                office.storage.metric_append(&ingest, samples(agent), now()).await.expect("appended");
            }
            office.close().await;
            let mut server = Server::start(&database);
            tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
            server.kill();
            office = database.office().await;
            for agent in agents {
                assert_eq!(stored(&office, &account, agent).await, samples(agent), "{kind:?} {agent}");
            }
            end_lease(&office).await;
        }
        let left = seal_the_rest(&office).await.samples_sealed;
        let all = agents.len() as u64 * SAMPLES.unsigned_abs();
        assert!((1..all).contains(&left), "no kill came while there was something to seal: {left} of {all} were left");
        for agent in &agents {
            assert_eq!(stored(&office, &account, agent).await, samples(agent), "{kind:?} {agent}, sealed");
        }
        println!("{kind:?}: {kills} kills, {left} of {all} samples were left to seal, each there once");
        office.close().await;
    }
}
